/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "config/config.h"

#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/file.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define RESOLV_BYTES_MAX (1u << 20)
#define BLANKS " \t\r"

struct resolvers {
	EG_ARRAY(struct eg_located_prefix) list;
};

static void resolvers_clear(struct resolvers *resolvers)
{
	eg_array_clear(&resolvers->list);
}

/* The word behind `nameserver`, cut out of the line, or NULL for any other line. */
static char *nameserver_word(char *line)
{
	static const char keyword[] = "nameserver";
	char *word;

	line += strspn(line, BLANKS);
	if (strncmp(line, keyword, strlen(keyword)) != 0)
		return NULL;
	word = line + strlen(keyword);
	if (!*word || !strchr(BLANKS, *word))
		return NULL;
	word += strspn(word, BLANKS);
	word[strcspn(word, BLANKS "#;")] = '\0';
	return word;
}

static int add_nameserver(struct resolvers *resolvers, char *word, struct eg_origin origin, struct eg_diag *diag)
{
	struct eg_addr addr;
	uint32_t family;

	/* fe80::1%eth0: the zone is the socket's business, rules hold for every one. */
	word[strcspn(word, "%")] = '\0';
	if (eg_addr_parse(word, &family, &addr) < 0) {
		eg_diag_add(diag, EG_SEVERITY_WARNING, origin, NULL,
			    "nameserver \"%.64s\" is no address: DNS to it is not exempt", word);
		return 0;
	}
	return eg_array_push(&resolvers->list, (struct eg_located_prefix){eg_prefix_of_addr(family, &addr), origin});
}

static int read_lines(char *text, const char *path, struct eg_diag *diag, struct resolvers *resolvers)
{
	uint32_t line_number = 0;
	char *line;

	while ((line = strsep(&text, "\n"))) {
		struct eg_origin origin = {path, ++line_number, 1};
		char *word = nameserver_word(line);
		int r = word ? add_nameserver(resolvers, word, origin, diag) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

int eg_config_load_resolvers(const char *path, struct eg_diag *diag, struct eg_located_prefix **ret_resolvers,
			     size_t *ret_count)
{
	_cleanup_(resolvers_clear) struct resolvers resolvers = {};
	_cleanup_free_ char *text = NULL;
	size_t len;
	int r;

	*ret_resolvers = NULL;
	*ret_count = 0;
	r = eg_file_read(path, RESOLV_BYTES_MAX, &text, &len);
	if (eg_file_is_shortage(r))
		return r;
	if (r < 0) {
		eg_diag_add(diag, EG_SEVERITY_WARNING, (struct eg_origin){.file = path}, NULL,
			    "%s: no DNS server is exempt", eg_file_explain(r));
		return 0;
	}
	r = read_lines(text, path, diag, &resolvers);
	if (r < 0)
		return r;
	*ret_count = resolvers.list.len;
	*ret_resolvers = TAKE_PTR(resolvers.list.items);
	return 0;
}

int eg_config_load_node_resolvers(const struct eg_model *model, struct eg_diag *diag,
				  struct eg_located_prefix **ret_resolvers, size_t *ret_count)
{
	*ret_resolvers = NULL;
	*ret_count = 0;
	if (model->node && model->node->resolvers_listed)
		return 0;
	return eg_config_load_resolvers(RESOLV_CONF, diag, ret_resolvers, ret_count);
}
