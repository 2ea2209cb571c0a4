/* SPDX-License-Identifier: MIT */
/* Which backend a NIC's name means. */
#include "parts.h"

#include <errno.h>
#include <string.h>

int ixgbe_open(const char *name, const struct ixgbe_options *options, struct ixgbe **out,
	       struct ixgbe_why *why)
{
	static const struct ixgbe_backend_ops *const backends[] = {
		&ixgbe_backend_vfio,
		&ixgbe_backend_vfio_user,
		&ixgbe_backend_vfio_user_fd,
	};
	struct ixgbe_options checked;
	struct ixgbe_backend *backend;
	int err;

	/* Before the device is touched. */
	err = port_options_fill(options, &checked, why);
	if (err)
		return err;
	for (size_t i = 0; i < sizeof(backends) / sizeof(*backends); i++) {
		size_t len = strlen(backends[i]->prefix);

		if (strncmp(name, backends[i]->prefix, len) != 0)
			continue;
		err = backends[i]->open(name + len, &checked, &backend, why);
		return err ? err : ixgbe_open_backend(backend, &checked, out, why);
	}
	return ixgbe_why_fill(why, -EINVAL,
			      "NIC '%s': no such kind; write vfio:DDDD:BB:DD.F, vfio-user:PATH or "
			      "vfio-user-fd:N",
			      name);
}
