/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#include "loaded.h"

#include <errno.h>
#include <stdlib.h>

#include "config/config.h"
#include "config/trusted.h"
#include "config/watch.h"
#include "policy/check.h"

void eg_loaded_clear(struct eg_loaded *loaded)
{
	eg_model_free(loaded->model);
	free(loaded->resolvers);
	*loaded = (struct eg_loaded){};
}

struct eg_loaded eg_loaded_take(struct eg_loaded *loaded)
{
	struct eg_loaded taken = *loaded;

	*loaded = (struct eg_loaded){};
	return taken;
}

int eg_loaded_read(const char *const *paths, size_t count, const struct eg_trust *trust, struct eg_diag *diag,
		   uint64_t *ret_fingerprint, struct eg_loaded *ret)
{
	_cleanup_(eg_loaded_clear) struct eg_loaded loaded = {.model = eg_model_new()};
	int r;

	if (!loaded.model)
		return -ENOMEM;
	r = eg_policy_fingerprint(paths, count, ret_fingerprint);
	if (r == 0)
		r = eg_policy_check_trust(trust, paths, count, diag);
	if (r == 0 && eg_diag_has_errors(diag))
		r = -EBADMSG;
	if (r == 0)
		r = eg_config_load(paths, count, loaded.model, diag);
	if (r == 0)
		r = eg_config_load_node_resolvers(loaded.model, diag, &loaded.resolvers, &loaded.resolver_count);
	if (r == 0)
		r = eg_policy_check(loaded.model, EG_SET_WHOLE, diag);
	if (r == 0 && eg_diag_has_errors(diag))
		r = -EBADMSG;
	if (r < 0)
		return r;
	*ret = eg_loaded_take(&loaded);
	return 0;
}
