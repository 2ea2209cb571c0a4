/* SPDX-License-Identifier: MIT */
#include "ioregion.h"

#include <errno.h>
#include <linux/vfio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge/service/log.h"
#include "tools/ixnic/loop.h"

void ioregion_init(struct ioregion *io, struct pci_function *function)
{
	io->function = function;
	io->sock = -1;
	io->sub = (struct vu_sub_region){
		.size = pci_function_bytes(VFIO_PCI_BAR0_REGION_INDEX),
		.type = VU_IO_FD_IOREGIONFD,
		.flags = VU_IOREGION_POSTED_WRITES,
	};
}

void ioregion_close(struct ioregion *io)
{
	if (io->sock < 0)
		return;
	loop_remove(io->function->nic->loop, io->sock);
	close(io->sock);
	io->sock = -1;
	io->in_len = io->out_len = io->out_sent = 0;
}

/* The client broke the protocol. */
static void channel_drop(struct ioregion *io, const char *reason)
{
	log_warning("closed the client's channel to the registers: %s", reason);
	ioregion_close(io);
}

/* ---- Answers ---- */

/* Sends the rest of the answers. Without room the channel waits for some. */
static void answers_flush(struct ioregion *io)
{
	while (io->out_sent < io->out_len && !io->deaf) {
		ssize_t n = vu_send_some(io->sock, io->out + io->out_sent,
					 io->out_len - io->out_sent, -1);

		if (n == -EAGAIN) {
			loop_modify(io->function->nic->loop, io->sock, EPOLLOUT);
			return;
		}
		/* What nobody takes is dropped. Commands that came before the end still count. */
		if (n < 0)
			io->deaf = true;
		else
			io->out_sent += (size_t)n;
	}
	io->out_len = io->out_sent = 0;
}

static void answer_add(struct ioregion *io, uint64_t data)
{
	const struct vu_ioregion_response response = {.data = data};

	memcpy(io->out + io->out_len, &response, sizeof(response));
	io->out_len += sizeof(response);
}

/* ---- Commands ---- */

static void command_run(struct ioregion *io, const struct vu_ioregion_command *command)
{
	uint32_t len = vu_ioregion_bytes(command), offset = (uint32_t)command->offset;
	uint8_t data[sizeof(command->data)] = {0};
	uint64_t value = 0;

	if (command->command == VU_IOREGION_WRITE) {
		memcpy(data, &command->data, len);
		pci_function_write(io->function, VFIO_PCI_BAR0_REGION_INDEX, offset, data, len);
		if (command->how & VU_IOREGION_RESPONSE)
			answer_add(io, 0);
		return;
	}
	pci_function_read(io->function, VFIO_PCI_BAR0_REGION_INDEX, offset, data, len);
	memcpy(&value, data, len);
	answer_add(io, value);
}

/* Carries out the whole commands that were read, and answers them. */
static void commands_run(struct ioregion *io)
{
	struct vu_ioregion_command command;
	size_t at = 0;

	for (; io->in_len - at >= sizeof(command); at += sizeof(command)) {
		memcpy(&command, io->in + at, sizeof(command));
		if (vu_ioregion_check(&command, &io->sub)) {
			channel_drop(io, "what came is no access to BAR 0");
			return;
		}
		command_run(io, &command);
	}
	io->in_len -= at;
	memmove(io->in, io->in + at, io->in_len);
	answers_flush(io);
}

/* One read, and what came with it. Returns its bytes; 0: nothing is there, or the channel ended. */
static size_t channel_read(struct ioregion *io)
{
	ssize_t n;

	do
		n = recv(io->sock, io->in + io->in_len, sizeof(io->in) - io->in_len, MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		if (io->in_len > 0)
			channel_drop(io, "it ended within a command");
		ioregion_close(io);
		return 0;
	}
	io->in_len += (size_t)n;
	commands_run(io);
	return (size_t)n;
}

static void on_channel(void *ctx, uint32_t events)
{
	struct ioregion *io = ctx;

	(void)events;
	if (io->out_len) {
		answers_flush(io);
		if (io->out_len)
			return;
		loop_modify(io->function->nic->loop, io->sock, EPOLLIN);
	}
	channel_read(io);
}

void ioregion_serve(struct ioregion *io)
{
	int there = 0; /* of what comes meanwhile nothing is waited for: the client may send on */
	size_t done = 0, n;

	if (io->sock < 0 || io->out_len || ioctl(io->sock, FIONREAD, &there))
		return;
	while (io->sock >= 0 && !io->out_len && done < (size_t)there) {
		n = channel_read(io);
		if (n == 0)
			break;
		done += n;
	}
}

/* ---- The channel's life ---- */

int ioregion_new(struct ioregion *io, int *theirs)
{
	int sock[2], err;

	ioregion_close(io);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sock))
		return -errno;
	err = loop_add(io->function->nic->loop, sock[0], EPOLLIN, on_channel, io);
	if (err) {
		close(sock[0]);
		close(sock[1]);
		return err;
	}
	io->sock = sock[0];
	io->deaf = false;
	io->sub.user_data++;
	*theirs = sock[1];
	return 0;
}
