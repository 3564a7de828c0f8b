/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/config.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"
#include "config/files.h"
#include "config/kinds.h"
#include "config/yaml.h"

/* What all files of one set share. */
struct load {
	struct eg_model *model;
	struct eg_diag *diag;
	size_t addresses;
	size_t text_bytes;
	bool is_for_kuma3;
};

static void add_finding(struct load *load, enum eg_severity severity, const char *file, const char *what)
{
	eg_diag_add(load->diag, severity, (struct eg_origin){.file = file}, NULL, "%s", what);
}

/* --- one document --- */

static void note_skipped(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	eg_diag_add(reader->diag, EG_SEVERITY_NOTE, eg_reader_origin(reader, envelope->kind_node), NULL,
		    "skipped: %.64s is no kind that egressd reads", envelope->kind);
}

static void note_inert(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	eg_diag_add(
		reader->diag, EG_SEVERITY_NOTE, eg_reader_origin(reader, envelope->kind_node), NULL,
		"changes nothing here: in Kuma a %s never reaches traffic that leaves the mesh; a MeshProxyPatch or "
		"ProxyTemplate of the passthrough clusters does",
		envelope->kind);
}

static void refuse_or_skip_unknown(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	const char *meant = eg_kind_suggest(envelope->kind);
	const size_t before = eg_path_enter(reader, envelope->is_kubernetes ? "kind" : "type");

	if (strcmp(envelope->kind, "List") == 0)
		eg_reader_error(reader, envelope->kind_node, "a List must have `items`, a list of documents");
	else if (meant)
		eg_reader_error(reader, envelope->kind_node, "unknown kind \"%.64s\"; did you mean \"%s\"?",
				envelope->kind, meant);
	else
		note_skipped(reader, envelope);
	eg_path_leave(reader, before);
}

/* Several kinds of other projects are called Mesh or Workload too; who meant ours must not be left out silently. */
static void check_api_version(struct eg_reader *reader, const struct eg_yaml_node *root,
			      const struct eg_envelope *envelope, const struct eg_kind *kind)
{
	const size_t before = eg_path_enter(reader, "apiVersion");

	if (!envelope->is_kubernetes && !envelope->api_version) {
		eg_path_leave(reader, before);
		return;
	}
	if (!envelope->api_version || strcmp(envelope->api_version, kind->api_version) != 0)
		eg_reader_error(reader, envelope->api_version_node ? envelope->api_version_node : root,
				"the apiVersion of a %s must be %s", kind->name, kind->api_version);
	eg_path_leave(reader, before);
}

/* For the search for names that are there twice. A resource without a name has its finding already. */
static int keep_name(struct eg_reader *reader, const struct eg_envelope *envelope, const struct eg_kind *kind)
{
	if (kind->naming == EG_NAMED_FREELY || envelope->name[0] == '\0')
		return 0;
	return eg_array_push(
		&reader->model->resources,
		{kind->name, kind->naming == EG_NAMED_IN_SET ? "" : envelope->mesh, envelope->name, envelope->origin});
}

static int read_kind(struct eg_reader *reader, const struct eg_yaml_node *root, struct eg_envelope *envelope,
		     const struct eg_kind *kind)
{
	int r;

	check_api_version(reader, root, envelope, kind);
	reader->kind = kind->schema;
	reader->is_in_spec = envelope->is_kubernetes || kind->form == EG_FORM_SPEC;
	reader->envelope = reader->is_in_spec ? NULL : &eg_universal_envelope;
	if (kind->group == EG_KIND_INERT)
		note_inert(reader, envelope);
	r = eg_envelope_read(reader, root, kind->form, envelope);
	if (r < 0)
		return r;
	r = keep_name(reader, envelope, kind);
	return r < 0 ? r : kind->read(reader, envelope);
}

static void warn_of_successor(struct eg_reader *reader, const struct eg_envelope *envelope)
{
	const char *successor = reader->is_for_kuma3 ? eg_kind_successor(envelope->kind) : NULL;

	if (successor)
		eg_reader_say(reader, EG_SEVERITY_WARNING, envelope->kind_node,
			      "Kuma 3 has no %s any more; %s takes its place", envelope->kind, successor);
}

static int read_resource(struct load *load, const char *file, const struct eg_yaml_node *root)
{
	struct eg_reader reader = {
		.model = load->model,
		.diag = load->diag,
		.file = file,
		.addresses = &load->addresses,
		.text_bytes = &load->text_bytes,
		.is_for_kuma3 = load->is_for_kuma3,
	};
	struct eg_envelope envelope;
	const struct eg_kind *kind;

	load->model->documents++;
	eg_envelope_read_kind(&reader, root, &envelope);
	if (!envelope.kind)
		return 0;
	warn_of_successor(&reader, &envelope);
	kind = eg_kind_find(envelope.kind);
	if (!kind)
		refuse_or_skip_unknown(&reader, &envelope);
	return kind ? read_kind(&reader, root, &envelope, kind) : 0;
}

/* --- lists of documents --- */

static bool ends_in_list(const struct eg_yaml_node *kind)
{
	const size_t len = kind->kind == EG_YAML_SCALAR ? strlen(kind->text) : 0, list_len = strlen("List");

	return len >= list_len && strcmp(kind->text + len - list_len, "List") == 0;
}

/* What kubectl prints of several resources is one List; kumactl says no kind at all. NULL: it is no list. */
static const struct eg_yaml_node *find_items(const struct eg_yaml_node *root)
{
	const struct eg_yaml_node *kind, *items;

	if (root->kind != EG_YAML_MAPPING || eg_yaml_get(root, "type"))
		return NULL;
	kind = eg_yaml_get(root, "kind");
	items = eg_yaml_get(root, "items");
	return items && items->kind == EG_YAML_SEQUENCE && (!kind || ends_in_list(kind)) ? items : NULL;
}

static int read_document(struct load *load, const char *file, const struct eg_yaml_node *root)
{
	const struct eg_yaml_node *items = find_items(root);
	int r = 0;

	if (!items)
		return read_resource(load, file, root);
	for (uint32_t i = 0; r == 0 && i < items->count; i++)
		r = read_document(load, file, items->items[i]);
	return r;
}

/* --- one file --- */

static int read_documents(struct load *load, const char *file, const char *bytes, size_t len)
{
	_cleanup_(eg_yaml_closep) struct eg_yaml_stream *stream = eg_yaml_open(file, bytes, len, load->diag);
	const size_t before = load->model->documents;
	const struct eg_yaml_node *root;
	int r;

	if (!stream)
		return -ENOMEM;
	while ((r = eg_yaml_next(stream, &root)) > 0) {
		r = read_document(load, file, root);
		if (r < 0)
			return r;
	}
	/* Cut short, or never written: not to be taken for a policy that says nothing. */
	if (r == 0 && load->model->documents == before)
		add_finding(load, EG_SEVERITY_ERROR, file, "holds no document; write one, or remove the file");
	return r == -ENOMEM ? r : 0;
}

static int load_file(struct load *load, const char *path)
{
	const char *file = eg_arena_strdup(&load->model->arena, path);
	_cleanup_free_ char *bytes = NULL;
	size_t len;
	int r;

	if (!file)
		return -ENOMEM;
	r = eg_file_read(path, EG_YAML_BYTES_MAX, &bytes, &len);
	if (eg_file_is_shortage(r))
		return r;
	if (r == -EFBIG)
		add_finding(load, EG_SEVERITY_ERROR, file, "is larger than 16 MiB; split it into several files");
	else if (r < 0)
		add_finding(load, EG_SEVERITY_ERROR, file, eg_file_explain(r));
	return r < 0 ? 0 : read_documents(load, file, bytes, len);
}

/* --- one folder --- */

static int load_folder(struct load *load, const char *folder)
{
	_cleanup_(eg_policy_files_clear) struct eg_policy_files files = {};
	const char *kept = eg_arena_strdup(&load->model->arena, folder);
	int r = kept ? eg_policy_files_list(folder, &files) : -ENOMEM;

	if (eg_file_is_shortage(r))
		return r;
	if (r < 0)
		add_finding(load, EG_SEVERITY_ERROR, kept, strerror(-r));
	else if (files.paths.len == 0)
		add_finding(load, EG_SEVERITY_ERROR, kept, "holds no *.yaml, *.yml or *.json file");
	r = 0;
	for (size_t i = 0; r == 0 && i < files.paths.len; i++)
		r = load_file(load, files.paths.items[i]);
	return r;
}

static int load_paths(struct load *load, const char *const *paths, size_t path_count)
{
	for (size_t i = 0; i < path_count; i++) {
		int r = eg_policy_path_is_folder(paths[i]) ? load_folder(load, paths[i]) : load_file(load, paths[i]);

		if (r < 0)
			return r;
	}
	return 0;
}

int eg_config_load(const char *const *paths, size_t path_count, struct eg_model *model, struct eg_diag *diag)
{
	struct load load = {.model = model, .diag = diag};

	return load_paths(&load, paths, path_count);
}

int eg_config_load_for_kuma3(const char *const *paths, size_t path_count, struct eg_model *model, struct eg_diag *diag)
{
	struct load load = {.model = model, .diag = diag, .is_for_kuma3 = true};

	return load_paths(&load, paths, path_count);
}
