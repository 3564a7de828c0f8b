/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/config.h"
#include "../lib/support/policy.h"

static char folder[32];

static int enter_folder(void **state)
{
	(void)state;
	strcpy(folder, "/tmp/egress-test.XXXXXX");
	return mkdtemp(folder) && chdir(folder) == 0 ? 0 : -1;
}

static int leave_folder(void **state)
{
	char command[64];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return chdir("/") == 0 && system(command) == 0 ? 0 : -1;
}

static void write_file(const char *path, const char *text)
{
	assert_int_equal(eg_file_replace(path, text, strlen(text)), 0);
}

static void assert_loaded(const char *path, size_t meshes, const char *expected)
{
	struct eg_model *model = eg_model_new();
	struct eg_diag diag = {};
	char *text = NULL;
	size_t len;
	FILE *out = open_memstream(&text, &len);

	assert_int_equal(eg_config_load(&path, 1, model, &diag), 0);
	eg_diag_print(&diag, out);
	fclose(out);
	assert_string_equal(text, expected);
	assert_int_equal(model->meshes.len, meshes);
	free(text);
	eg_diag_clear(&diag);
	eg_model_free(model);
}

static void a_folder_is_read_in_byte_order_and_no_deeper(void **state)
{
	(void)state;
	assert_int_equal(mkdir("d", 0700), 0);
	assert_int_equal(mkdir("d/deeper", 0700), 0);
	write_file("d/b.yml", "type: Mesh\nname: b\nb: 1\n");
	write_file("d/a.json", "{\"type\": \"Mesh\", \"name\": \"a\"}");
	write_file("d/c.yaml", "type: Mesh\nname: c\n");
	write_file("d/.hidden.yaml", "broken: [");
	write_file("d/notes.txt", "broken: [");
	write_file("d/deeper/x.yaml", "broken: [");
	assert_loaded("d", 3, "d/b.yml:3:1: error: b: unknown field; remove it\n");
	assert_loaded("d/", 3, "d/b.yml:3:1: error: b: unknown field; remove it\n");
}

static void what_holds_nothing_is_never_taken_for_a_policy(void **state)
{
	(void)state;
	assert_int_equal(mkdir("e", 0700), 0);
	write_file("empty.yaml", "");
	write_file("comment.yaml", "# type: Mesh\n---\n---\n");
	assert_loaded("e", 0, "e: error: holds no *.yaml, *.yml or *.json file\n");
	assert_loaded("empty.yaml", 0, "empty.yaml: error: holds no document; write one, or remove the file\n");
	assert_loaded("comment.yaml", 0, "comment.yaml: error: holds no document; write one, or remove the file\n");
	assert_loaded("missing.yaml", 0, "missing.yaml: error: No such file or directory\n");
}

static void empty_documents_are_skipped(void **state)
{
	(void)state;
	write_file("p.yaml", "---\n---\ntype: Mesh\nname: a\n---\n# nothing\n---\nnull\n");
	assert_loaded("p.yaml", 1, "");
}

static void what_is_no_file_is_refused(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("fifo.yaml", 0600), 0);
	assert_int_equal(symlink("loop.yaml", "loop.yaml"), 0);
	write_file("big.yaml", "");
	assert_int_equal(truncate("big.yaml", (16 << 20) + 1), 0);
	assert_loaded("fifo.yaml", 0, "fifo.yaml: error: is a FIFO, a socket or a device; name a regular file\n");
	assert_loaded("loop.yaml", 0, "loop.yaml: error: is a loop of symbolic links\n");
	assert_loaded("big.yaml", 0, "big.yaml: error: is larger than 16 MiB; split it into several files\n");
}

static void addresses_of_a_set_have_a_limit(void **state)
{
	static const char head[] = "type: Node\nname: n\nmeshCIDRs: [&a '::1'";
	const size_t count = 1000001;
	char *text = malloc(sizeof(head) + count * 3 + 4);
	char *end = stpcpy(text, head);

	(void)state;
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, ",*a");
	strcpy(end, "]\n");
	write_file("p.yaml", text);
	free(text);
	assert_loaded("p.yaml", 0,
		      "p.yaml:3:13: error: meshCIDRs[1000000]: more than 1000000 addresses and ports in one policy; "
		      "use wider "
		      "ranges\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_folder_is_read_in_byte_order_and_no_deeper, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(what_holds_nothing_is_never_taken_for_a_policy, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(empty_documents_are_skipped, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(what_is_no_file_is_refused, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(addresses_of_a_set_have_a_limit, enter_folder, leave_folder),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
