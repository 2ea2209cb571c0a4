/* SPDX-License-Identifier: MIT */
/* The eventfds by which the kernel's VFIO says that a device is wanted back, or has failed. The
 * test plays a kernel that has one device, which was handed over. */
#include "ixgbe/backends/vfio.h"

#include <errno.h>
#include <linux/vfio.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define BAR_BYTES 0x20000u

enum { CONTAINER = 1, GROUP, DEVICE };

static struct {
	int alarm[2]; /* release, error */
	bool no_errors, no_release;
	uint8_t bar[BAR_BYTES];
} kernel;

static int set_irqs(const struct vfio_irq_set *set)
{
	const bool error = set->index == VFIO_PCI_ERR_IRQ_INDEX;

	if (set->index == VFIO_PCI_MSIX_IRQ_INDEX)
		return 0;
	assert_true(error || set->index == VFIO_PCI_REQ_IRQ_INDEX);
	assert_int_equal(set->start, 0);
	assert_int_equal(set->count, 1);
	assert_int_equal(set->flags, VFIO_IRQ_SET_DATA_EVENTFD | VFIO_IRQ_SET_ACTION_TRIGGER);
	assert_int_equal(set->argsz, sizeof(*set) + sizeof(int));
	if (error ? kernel.no_errors : kernel.no_release)
		return -ENOTTY;
	memcpy(&kernel.alarm[error], set->data, sizeof(int));
	return 0;
}

static int kernel_ioctl(int fd, unsigned long request, void *arg)
{
	struct vfio_region_info *region = arg;

	(void)fd;
	switch (request) {
	case VFIO_DEVICE_SET_IRQS:
		return set_irqs(arg);
	case VFIO_DEVICE_GET_INFO:
		*(struct vfio_device_info *)arg = (struct vfio_device_info){
			.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET,
			.num_regions = VFIO_PCI_NUM_REGIONS,
			.num_irqs = VFIO_PCI_NUM_IRQS,
		};
		return 0;
	case VFIO_DEVICE_GET_IRQ_INFO:
		((struct vfio_irq_info *)arg)->count = 64;
		((struct vfio_irq_info *)arg)->flags = VFIO_IRQ_INFO_EVENTFD;
		return 0;
	case VFIO_DEVICE_GET_REGION_INFO:
		region->flags = VFIO_REGION_INFO_FLAG_READ | VFIO_REGION_INFO_FLAG_WRITE |
				VFIO_REGION_INFO_FLAG_MMAP;
		region->size = region->index == VFIO_PCI_BAR0_REGION_INDEX ? BAR_BYTES : 256;
		return 0;
	default: /* VFIO_API_VERSION, too */
		return 0;
	}
}

static int kernel_map(size_t len, int fd, off_t offset, void **out)
{
	(void)fd;
	(void)offset;
	assert_int_equal(len, BAR_BYTES);
	*out = kernel.bar;
	return 0;
}

static void kernel_unmap(void *addr, size_t len)
{
	(void)len;
	assert_ptr_equal(addr, kernel.bar);
}

static void kernel_close(int fd)
{
	assert_in_range(fd, CONTAINER, DEVICE);
}

const struct vfio_kernel vfio_kernel = {
	.ioctl = kernel_ioctl,
	.map = kernel_map,
	.unmap = kernel_unmap,
	.close = kernel_close,
};

static void test_alarms(void **state)
{
	struct backend_left left = {
		.handed = {.fd = {CONTAINER, GROUP}},
		.registers = {.bytes = BAR_BYTES, .windows = 1, .fd = DEVICE},
	};
	struct ixgbe_backend *backend = NULL;
	struct ixgbe_why why = {""};

	(void)state;
	if (ixgbe_backend_vfio.take_over(&left, NULL, &backend, &why))
		fail_msg("%s", why.text);
	assert_int_equal(backend->ops->alarms(backend, 100, 101), 0);
	assert_int_equal(kernel.alarm[0], 100);
	assert_int_equal(kernel.alarm[1], 101);
	/* Not every device has errors to report. */
	kernel.no_errors = true;
	assert_int_equal(backend->ops->alarms(backend, 102, 103), 0);
	assert_int_equal(kernel.alarm[0], 102);
	assert_int_equal(kernel.alarm[1], 101);
	kernel.no_release = true;
	assert_int_equal(backend->ops->alarms(backend, 104, 105), -ENOTTY);
	assert_int_equal(kernel.alarm[0], 102);
	backend->ops->close(backend);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {cmocka_unit_test(test_alarms)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
