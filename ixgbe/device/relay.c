/* SPDX-License-Identifier: MIT */
/*
 * Registers for a driver, over a server that has no channel for them.
 *
 *     driver                       keeper
 *     attached.c ── socket pair ── relay.c ── backend ── connection ── server
 *
 * To the driver the keeper is then what a server with a channel is (ixgbe/vfio_user/vfio_user.h).
 * Each access costs two more messages and two changes of process, and waits for the keeper. Writes
 * are posted: what a driver has written before it died is carried out before the next one gets a
 * new pair. Half a command is not.
 *
 * The driver is not trusted: a command that is none, an access of another width than 32 bits, and
 * answers that it does not take end the relay. It may write any register: the whole BAR is a
 * driver's. A driver that asks without end gets no more than one look into its socket each time, so
 * the keeper does its other work in between.
 */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "device.h"

#define RELAY_USER_DATA 1u

void relay_init(struct relay *relay)
{
	relay->keeper = relay->driver = -1;
}

void relay_close(struct relay *relay)
{
	if (relay->keeper < 0)
		return;
	close(relay->keeper);
	close(relay->driver);
	relay_init(relay);
}

int relay_open(struct relay *relay, uint64_t bytes)
{
	int sock[2];

	relay_close(relay);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return -errno;
	relay->keeper = sock[0];
	relay->driver = sock[1];
	relay->have = 0;
	relay->sub = (struct vu_sub_region){.size = bytes, .user_data = RELAY_USER_DATA};
	return 0;
}

int relay_adopt(struct relay *relay, int keeper, int driver, uint64_t bytes, const void *half,
		size_t have)
{
	if (!vu_is_stream(keeper) || !vu_is_stream(driver) || have >= sizeof(relay->command[0]))
		return -EBADMSG;
	relay->keeper = keeper;
	relay->driver = driver;
	relay->have = have;
	memcpy(relay->command, half, have);
	relay->sub = (struct vu_sub_region){.size = bytes, .user_data = RELAY_USER_DATA};
	return 0;
}

static int answer(const struct relay *relay, uint64_t data)
{
	const struct vu_ioregion_response response = {.data = data};

	/* Its answer is all that a driver waits for, so there is room. */
	return vu_send_some(relay->keeper, &response, sizeof(response), -1) == sizeof(response)
		       ? 0
		       : -EPROTO;
}

static int carry_out(const struct relay *relay, const struct vu_ioregion_command *command,
		     struct ixgbe_backend *backend)
{
	const uint32_t offset = (uint32_t)command->offset;

	if (vu_ioregion_check(command, &relay->sub) || command->offset % 4 != 0 ||
	    command->offset > UINT32_MAX || (command->how & VU_IOREGION_SIZE) != VU_IOREGION_32BIT)
		return -EPROTO;
	if (command->command == VU_IOREGION_READ)
		return answer(relay, backend->ops->read32(backend, offset));
	backend->ops->write32(backend, offset, (uint32_t)command->data);
	return command->how & VU_IOREGION_RESPONSE ? answer(relay, 0) : 0;
}

/* Whole commands; what is left of another goes to the front. */
static int carry_out_all(struct relay *relay, struct ixgbe_backend *backend)
{
	const size_t whole = relay->have / sizeof(relay->command[0]);
	int err = 0;

	for (size_t i = 0; i < whole && !err; i++)
		err = carry_out(relay, &relay->command[i], backend);
	relay->have %= sizeof(relay->command[0]);
	memmove(relay->command, &relay->command[whole], relay->have);
	return err;
}

/* 1: something had come; 0, or -EPROTO. */
static int look(struct relay *relay, struct ixgbe_backend *backend)
{
	uint8_t *bytes = (uint8_t *)relay->command;
	ssize_t n;
	int err;

	if (relay->keeper < 0)
		return 0;
	n = recv(relay->keeper, bytes + relay->have, sizeof(relay->command) - relay->have,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	relay->have += n > 0 ? (size_t)n : 0;
	err = n > 0 ? carry_out_all(relay, backend) : -EPROTO;
	if (err)
		relay_close(relay);
	return err ? err : 1;
}

int relay_serve(struct relay *relay, struct ixgbe_backend *backend)
{
	int err = look(relay, backend);

	return err < 0 ? err : 0;
}

void relay_finish(struct relay *relay, struct ixgbe_backend *backend)
{
	while (look(relay, backend) > 0)
		;
	relay_close(relay);
}
