/* SPDX-License-Identifier: MIT */
/* A PCI function by its name, looked up in sysfs before it is opened. */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vfio.h"

/* Whether `text` has the shape of `pattern`: x stands for a hexadecimal digit, 1 for 0 or 1, 7 for
 * an octal digit. */
static bool has_shape(const char *text, const char *pattern)
{
	for (; *pattern; pattern++, text++) {
		bool ok = *pattern == 'x'   ? isxdigit((unsigned char)*text)
			  : *pattern == '1' ? *text >= '0' && *text <= '1'
			  : *pattern == '7' ? *text >= '0' && *text <= '7'
					    : *text == *pattern;

		if (!ok)
			return false;
	}
	return *text == '\0';
}

int ixgbe_pci_address(const char *text, char out[IXGBE_PCI_ADDRESS_BYTES], struct ixgbe_why *why)
{
	const char *domain = "";

	if (has_shape(text, "xx:1x.7"))
		domain = "0000:";
	else if (!has_shape(text, "xxxx:xx:1x.7"))
		return ixgbe_why_fill(why, -EINVAL,
				      "'%s' is no PCI address: write DDDD:BB:DD.F or BB:DD.F, as "
				      "'lspci -D' shows it",
				      text);
	snprintf(out, IXGBE_PCI_ADDRESS_BYTES, "%s%s", domain, text);
	for (; *out; out++)
		*out = (char)tolower((unsigned char)*out);
	return 0;
}

/* The last part of what the link <sysfs>/bus/pci/devices/<bdf>/<link> points to. -ENOENT:
 * there is no such link. */
static int link_name(const char *sysfs, const char *bdf, const char *link, char *out, size_t size)
{
	char path[PATH_MAX], target[PATH_MAX];
	const char *name;
	ssize_t len;

	if (snprintf(path, sizeof(path), "%s/bus/pci/devices/%s/%s", sysfs, bdf, link) >=
	    (int)sizeof(path))
		return -ENAMETOOLONG;
	len = readlink(path, target, sizeof(target) - 1);
	if (len < 0)
		return -errno;
	target[len] = '\0';
	name = strrchr(target, '/');
	name = name ? name + 1 : target;
	if (*name == '\0' || strlen(name) >= size)
		return -EINVAL;
	strcpy(out, name);
	return 0;
}

static int not_bound(const char *bdf, const char *driver, struct ixgbe_why *why)
{
	if (driver)
		return ixgbe_why_fill(
			why, -ENODEV,
			"NIC %s belongs to the driver %s: give it to vfio-pci with "
			"'driverctl set-override %s vfio-pci', or in /sys/bus/pci with "
			"'echo vfio-pci > devices/%s/driver_override; "
			"echo %s > devices/%s/driver/unbind; echo %s > drivers_probe'",
			bdf, driver, bdf, bdf, bdf, bdf, bdf);
	return ixgbe_why_fill(
		why, -ENODEV,
		"NIC %s has no driver: give it to vfio-pci with "
		"'modprobe vfio-pci; driverctl set-override %s vfio-pci', or in /sys/bus/pci "
		"with 'echo vfio-pci > devices/%s/driver_override; echo %s > drivers_probe'",
		bdf, bdf, bdf, bdf);
}

int vfio_pci_find(const char *sysfs, const char *name, struct vfio_pci *out, struct ixgbe_why *why)
{
	struct vfio_pci found;
	char path[PATH_MAX], driver[64];
	int err = ixgbe_pci_address(name, found.bdf, why);

	if (err)
		return err;
	snprintf(path, sizeof(path), "%s/bus/pci/devices/%s", sysfs, found.bdf);
	if (access(path, F_OK) < 0)
		return ixgbe_why_fill(
			why, -ENODEV,
			"NIC %s: no such PCI device; 'lspci -D -d 8086:' lists what there is",
			found.bdf);
	if (link_name(sysfs, found.bdf, "iommu_group", found.group, sizeof(found.group)))
		return ixgbe_why_fill(
			why, -ENODEV,
			"NIC %s is behind no IOMMU: enable VT-d or AMD-Vi in the firmware and, "
			"on Intel, boot with intel_iommu=on",
			found.bdf);
	err = link_name(sysfs, found.bdf, "driver", driver, sizeof(driver));
	if (err || strcmp(driver, "vfio-pci") != 0)
		return not_bound(found.bdf, err ? NULL : driver, why);
	*out = found;
	return 0;
}
