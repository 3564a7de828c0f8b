/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* How often is swept. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sweeper.h"

#define MSEC UINT64_C(1000000)

static void the_period_is_a_tenth_of_the_shortest_timeout_within_bounds(void **state)
{
	(void)state;
	assert_int_equal(eg_sweep_period_ms(2000, 0, 0), 200);
	assert_int_equal(eg_sweep_period_ms(3600000, 0, 0), 1000);
	assert_int_equal(eg_sweep_period_ms(0, 0, 0), 1000);
	assert_int_equal(eg_sweep_period_ms(100, 0, 0), 50);
	assert_int_equal(eg_sweep_period_ms(1, 0, 0), 50);
	assert_int_equal(eg_sweep_period_ms(UINT64_MAX, 0, 0), 1000);
}

static void a_period_that_was_written_holds_whatever_it_costs(void **state)
{
	(void)state;
	assert_int_equal(eg_sweep_period_ms(2000, 10, 0), 10);
	assert_int_equal(eg_sweep_period_ms(2000, 3600000, 0), 3600000);
	assert_int_equal(eg_sweep_period_ms(2000, 10, 100 * MSEC), 10);
}

static void sweeps_that_take_long_come_less_often(void **state)
{
	(void)state;
	assert_int_equal(eg_sweep_period_ms(2000, 0, 4 * MSEC), 200);
	assert_int_equal(eg_sweep_period_ms(2000, 0, 30 * MSEC), 1500);
	assert_int_equal(eg_sweep_period_ms(0, 0, 30 * MSEC), 1500);
	assert_int_equal(eg_sweep_period_ms(0, 0, UINT64_C(1) << 57), 10000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_period_is_a_tenth_of_the_shortest_timeout_within_bounds),
		cmocka_unit_test(a_period_that_was_written_holds_whatever_it_costs),
		cmocka_unit_test(sweeps_that_take_long_come_less_often),
	};

	return cmocka_run_group_tests_name("sweeper", tests, NULL, NULL);
}
