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

/* A small file could keep the daemon busy for hours. */
static void addresses_and_ports_of_a_service_multiply_up_to_the_limit(void **state)
{
	static const char head[] = "type: MeshService\nname: s\nspec:\n  ports: [&p {port: 80}";
	static const char middle[] = "]\nstatus:\n  vips: [&v {ip: 192.0.2.7}";
	const size_t count = 200000;
	char *text = malloc(sizeof(head) + sizeof(middle) + 2 * count * 3 + 4);
	char *end = stpcpy(text, head);

	(void)state;
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, ",*p");
	end = stpcpy(end, middle);
	for (size_t i = 0; i < count; i++)
		end = stpcpy(end, ",*v");
	strcpy(end, "]\n");
	write_file("p.yaml", text);
	free(text);
	assert_loaded("p.yaml", 0,
		      "p.yaml:6:18: error: status.vips: more than 1000000 addresses and ports in one policy; use wider "
		      "ranges\n");
}

static void each_item_of_a_list_is_a_document(void **state)
{
	(void)state;
	write_file("list.yaml", "apiVersion: v1\nkind: List\nitems:\n"
				"- {apiVersion: kuma.io/v1alpha1, kind: Mesh, metadata: {name: a}}\n"
				"- {type: Mesh, name: b, netwroking: {}}\n"
				"- {apiVersion: v1, kind: List, items: [{type: Mesh, name: c}]}\n"
				"- text\n");
	assert_loaded("list.yaml", 3,
		      "list.yaml:5:25: error: netwroking: unknown field; did you mean \"networking\"?\n"
		      "list.yaml:7:3: error: a resource must be a mapping with `type` or `kind`, not a text\n");
	write_file("rest.json", "{\"total\": 1, \"items\": [{\"type\": \"Mesh\", \"name\": \"a\"}], \"next\": null}");
	assert_loaded("rest.json", 1, "");
	write_file("typed.yaml", "apiVersion: kuma.io/v1alpha1\nkind: MeshList\nitems:\n- {type: Mesh, name: a}\n");
	assert_loaded("typed.yaml", 1, "");
}

static void a_list_that_holds_nothing_is_never_taken_for_a_policy(void **state)
{
	(void)state;
	write_file("none.yaml", "apiVersion: v1\nkind: List\nitems: []\n");
	assert_loaded("none.yaml", 0, "none.yaml: error: holds no document; write one, or remove the file\n");
	write_file("without.yaml", "apiVersion: v1\nkind: List\nitem: []\n");
	assert_loaded("without.yaml", 0,
		      "without.yaml:2:7: error: kind: a List must have `items`, a list of documents\n");
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
		cmocka_unit_test_setup_teardown(addresses_and_ports_of_a_service_multiply_up_to_the_limit, enter_folder,
						leave_folder),
		cmocka_unit_test_setup_teardown(each_item_of_a_list_is_a_document, enter_folder, leave_folder),
		cmocka_unit_test_setup_teardown(a_list_that_holds_nothing_is_never_taken_for_a_policy, enter_folder,
						leave_folder),
	};

	return cmocka_run_group_tests_name("load", tests, NULL, NULL);
}
