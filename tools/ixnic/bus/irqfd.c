/* SPDX-License-Identifier: MIT */
#include "irqfd.h"

#include <errno.h>
#include <linux/vfio.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "notifier.h"

#define ACTIONS 3 /* uses of an eventfd: trigger, or to hear of masking and unmasking */
enum { ON_TRIGGER, ON_MASK, ON_UNMASK };

struct vector {
	int fd[ACTIONS];
	bool masked;
	bool pending;
};

static const struct {
	uint32_t first, count; /* in irqfd.vector */
	uint32_t flags;
} indices[VFIO_PCI_NUM_IRQS] = {
	[VFIO_PCI_MSIX_IRQ_INDEX] = {0, NIC_VECTORS,
				     VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE},
	[VFIO_PCI_MSI_IRQ_INDEX] = {NIC_VECTORS, 1, VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE},
	[VFIO_PCI_INTX_IRQ_INDEX] = {NIC_VECTORS + 1, 1,
				     VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_MASKABLE |
					     VFIO_IRQ_INFO_AUTOMASKED},
	[VFIO_PCI_ERR_IRQ_INDEX] = {NIC_VECTORS + 2, 1,
				    VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE},
	[VFIO_PCI_REQ_IRQ_INDEX] = {NIC_VECTORS + 3, 1,
				    VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE},
};
#define MSI  NIC_VECTORS
#define INTX (NIC_VECTORS + 1u)
#define ALL  (NIC_VECTORS + 4u)

struct irqfd {
	struct nic *nic;
	const struct config_space *config;
	struct notifier *notifier;
	struct vector vector[ALL];
	uint32_t msix_fds; /* MSI-X is in use while there are any */
	uint32_t table[NIC_VECTORS][4];
};

#define TABLE_BYTES   (NIC_VECTORS * 16u)
#define TABLE_CONTROL 3 /* word of an entry; bit 0 is the mask, kept in struct vector */

uint32_t irqfd_count(uint32_t index)
{
	return index < VFIO_PCI_NUM_IRQS ? indices[index].count : 0;
}

uint32_t irqfd_flags(uint32_t index)
{
	return index < VFIO_PCI_NUM_IRQS ? indices[index].flags : 0;
}

static void signal_fd(const struct irqfd *irqfd, int fd)
{
	if (fd >= 0)
		notifier_signal(irqfd->notifier, fd);
}

static bool is_eventfd(int fd)
{
	char link[64], name[64] = "";

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	if (readlink(link, name, sizeof(name) - 1) < 0)
		return false;
	return strcmp(name, "anon_inode:[eventfd]") == 0;
}

/* Whether the interrupt line is asserted: INTx is a level (section 7.3.1.1). */
static bool intx_level(const struct irqfd *irqfd)
{
	return reg(irqfd->nic, IXGBE_EICR) & reg(irqfd->nic, IXGBE_EIMS);
}

/* Whether a vector may signal now. */
static bool open_now(const struct irqfd *irqfd, uint32_t i)
{
	if (irqfd->vector[i].masked || irqfd->vector[i].fd[ON_TRIGGER] < 0)
		return false;
	if (i < NIC_VECTORS)
		return !config_space_msix_masked(irqfd->config);
	if (i == INTX)
		return !config_space_intx_disabled(irqfd->config);
	return true;
}

static void fire(struct irqfd *irqfd, uint32_t i)
{
	struct vector *v = &irqfd->vector[i];

	v->pending = !open_now(irqfd, i);
	if (v->pending)
		return;
	if (i == INTX)
		v->masked = true; /* automasked until the client unmasks it */
	signal_fd(irqfd, v->fd[ON_TRIGGER]);
}

/* A line that was deasserted meanwhile is not pending any more. */
static void fire_pending(struct irqfd *irqfd, uint32_t i)
{
	if (i == INTX)
		irqfd->vector[i].pending = intx_level(irqfd);
	if (irqfd->vector[i].pending)
		fire(irqfd, i);
}

static void mask_set(struct irqfd *irqfd, uint32_t i, bool masked)
{
	struct vector *v = &irqfd->vector[i];

	if (v->masked != masked)
		signal_fd(irqfd, v->fd[masked ? ON_MASK : ON_UNMASK]);
	v->masked = masked;
	if (!masked)
		fire_pending(irqfd, i);
}

/* `fd` passes to the vector, and the vector's old one is closed; -1: none. */
static void fd_set_action(struct irqfd *irqfd, uint32_t i, int action, int fd)
{
	struct vector *v = &irqfd->vector[i];
	int old = v->fd[action];

	v->fd[action] = fd;
	if (old >= 0)
		close(old);
	if (action != ON_TRIGGER)
		return;
	if (i < NIC_VECTORS)
		irqfd->msix_fds += (uint32_t)(fd >= 0) - (uint32_t)(old >= 0);
	if (fd >= 0)
		mask_set(irqfd, i, false);
}

/* Vectors as at power-on: those of the table are masked. */
static void vector_clear(struct irqfd *irqfd, uint32_t i)
{
	irqfd->vector[i].pending = false;
	irqfd->vector[i].masked = i < NIC_VECTORS && irqfd->vector[i].fd[ON_TRIGGER] < 0;
}

static void index_disable(struct irqfd *irqfd, uint32_t index)
{
	for (uint32_t i = indices[index].first; i < indices[index].first + indices[index].count;
	     i++) {
		for (int action = 0; action < ACTIONS; action++)
			fd_set_action(irqfd, i, action, -1);
		vector_clear(irqfd, i);
	}
}

static int action_of(uint32_t flags)
{
	switch (flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) {
	case VFIO_IRQ_SET_ACTION_MASK:
		return ON_MASK;
	case VFIO_IRQ_SET_ACTION_UNMASK:
		return ON_UNMASK;
	default:
		return ON_TRIGGER;
	}
}

int irqfd_set(struct irqfd *irqfd, struct vu_message *message)
{
	const uint8_t *flag = message->data + sizeof(struct vu_irq_set);
	struct vu_irq_set set;
	int err, action;

	if (message->len < sizeof(set))
		return -EINVAL;
	memcpy(&set, message->data, sizeof(set));
	if (set.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	err = vu_irq_set_check(&set, message->len, message->fds, indices[set.index].count);
	if (err)
		return err;
	for (uint32_t i = 0; i < message->fds; i++) {
		if (!is_eventfd(message->fd[i]))
			return -EINVAL;
	}
	if (set.count == 0) {
		index_disable(irqfd, set.index);
		return 0;
	}

	action = action_of(set.flags);
	for (uint32_t n = 0; n < set.count; n++) {
		uint32_t i = indices[set.index].first + set.start + n;

		if (set.flags & VFIO_IRQ_SET_DATA_EVENTFD)
			fd_set_action(irqfd, i, action,
				      message->fds ? vu_message_take(message, n) : -1);
		else if ((set.flags & VFIO_IRQ_SET_DATA_BOOL) && !flag[n])
			continue;
		else if (action == ON_TRIGGER)
			fire(irqfd, i);
		else
			mask_set(irqfd, i, action == ON_MASK);
	}
	return 0;
}

void irqfd_deliver(void *ctx, uint32_t vector)
{
	struct irqfd *irqfd = ctx;

	if (irqfd->msix_fds > 0) {
		if (vector < NIC_VECTORS)
			fire(irqfd, vector);
	} else if (irqfd->vector[MSI].fd[ON_TRIGGER] >= 0) {
		fire(irqfd, MSI);
	} else {
		fire(irqfd, INTX);
	}
}

void irqfd_update(struct irqfd *irqfd)
{
	for (uint32_t i = 0; i < ALL; i++) {
		if (open_now(irqfd, i))
			fire_pending(irqfd, i);
	}
}

/* ---- BAR 4 ---- */

static uint32_t bar_word(const struct irqfd *irqfd, uint32_t offset)
{
	uint32_t entry = offset / 16, word = offset / 4 % 4, pending = 0;

	if (offset < TABLE_BYTES)
		return word == TABLE_CONTROL ? irqfd->vector[entry].masked
					     : irqfd->table[entry][word];
	if (offset < MSIX_PBA_OFFSET || offset >= MSIX_PBA_OFFSET + NIC_VECTORS / 8)
		return 0;
	for (uint32_t bit = 0; bit < 32; bit++) {
		uint32_t i = (offset - MSIX_PBA_OFFSET) / 4 * 32 + bit;

		pending |= (uint32_t)irqfd->vector[i].pending << bit;
	}
	return pending;
}

void irqfd_bar_read(const struct irqfd *irqfd, uint32_t offset, uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len; i++, offset++)
		data[i] = (uint8_t)(bar_word(irqfd, offset & ~3u) >> 8 * (offset % 4));
}

void irqfd_bar_write(struct irqfd *irqfd, uint32_t offset, const uint8_t *data, uint32_t len)
{
	for (uint32_t i = 0; i < len && offset < TABLE_BYTES; i++, offset++) {
		uint32_t entry = offset / 16, word = offset / 4 % 4, shift = 8 * (offset % 4);
		uint32_t *value = &irqfd->table[entry][word];

		if (word != TABLE_CONTROL)
			*value = (*value & ~(0xffu << shift)) | (uint32_t)data[i] << shift;
		else if (shift == 0)
			mask_set(irqfd, entry, data[i] & 1);
	}
}

/* ---- Life ---- */

void irqfd_reset(struct irqfd *irqfd)
{
	memset(irqfd->table, 0, sizeof(irqfd->table));
	for (uint32_t i = 0; i < ALL; i++)
		vector_clear(irqfd, i);
}

void irqfd_release(struct irqfd *irqfd)
{
	for (uint32_t index = 0; index < VFIO_PCI_NUM_IRQS; index++)
		index_disable(irqfd, index);
	irqfd_reset(irqfd);
}

int irqfd_new(struct nic *nic, const struct config_space *config, struct irqfd **out)
{
	struct irqfd *irqfd = calloc(1, sizeof(*irqfd));
	int err;

	if (!irqfd)
		return -ENOMEM;
	err = notifier_new(&irqfd->notifier);
	if (err) {
		free(irqfd);
		return err;
	}
	irqfd->nic = nic;
	irqfd->config = config;
	for (uint32_t i = 0; i < ALL; i++) {
		for (int action = 0; action < ACTIONS; action++)
			irqfd->vector[i].fd[action] = -1;
		vector_clear(irqfd, i);
	}
	*out = irqfd;
	return 0;
}

void irqfd_free(struct irqfd *irqfd)
{
	if (!irqfd)
		return;
	irqfd_release(irqfd);
	notifier_free(irqfd->notifier);
	free(irqfd);
}
