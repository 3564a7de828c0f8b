/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/* Past the IP layer: packet and XDP sockets, devices of the workload's own. Sockets that no cgroup hook knows of. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <linux/if_xdp.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "leak.h"

#ifndef AF_XDP
#define AF_XDP 44
#endif
#ifndef SOL_XDP
#define SOL_XDP 283
#endif
#ifndef AF_TIPC
#define AF_TIPC 30
#endif
#define DEVICE "veth0"
#define PROTOCOL "blocked-protocol"
#define TUN_HOST "10.93.0.2"
/* Mesh, and behind a tunnel whose other end is not. */
#define VXLAN_HOST "10.99.0.2"
#define IPIP_HOST "10.99.1.2"
#define VXLAN_DEVICE "leakvx"
#define IPIP_DEVICE "leakip"

/* ---- a packet ---- */

struct datagram {
	struct iphdr ip;
	struct udphdr udp;
	char mark[WIRE_MARK_LEN];
} __attribute__((packed));

struct frame {
	struct ether_header link;
	struct datagram datagram;
} __attribute__((packed));

static uint16_t sum_of(const struct iphdr *header)
{
	const uint8_t *bytes = (const uint8_t *)header;
	uint32_t sum = 0;

	for (size_t i = 0; i < sizeof(*header); i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t)~(sum + (sum >> 16)));
}

static struct datagram datagram_from(const char *source, const struct trial *trial)
{
	struct iphdr header = {
		.version = 4,
		.ihl = 5,
		.ttl = 64,
		.tot_len = htons(sizeof(struct datagram)),
		.protocol = IPPROTO_UDP,
		.saddr = inet_addr(source),
		.daddr = trial->to[OUT4].ipv4.sin_addr.s_addr,
	};
	struct datagram datagram = {
		.udp = {
			.source = htons(9),
			.dest = trial->to[OUT4].ipv4.sin_port,
			.len = htons(sizeof(datagram) - sizeof(header)),
		},
	};

	header.check = sum_of(&header);
	datagram.ip = header;
	memcpy(datagram.mark, trial->mark, sizeof(datagram.mark));
	return datagram;
}

static struct frame frame_of(const struct trial *trial)
{
	struct frame frame = {
		.link = {.ether_type = htons(ETHERTYPE_IP)},
		.datagram = datagram_from(TUN_HOST, trial),
	};

	memset(frame.link.ether_dhost, 0xff, sizeof(frame.link.ether_dhost));
	return frame;
}

/* ---- packet sockets ---- */

static int send_packet(int type, const void *bytes, size_t len)
{
	int fd = socket(AF_PACKET, type | SOCK_CLOEXEC, 0);
	struct sockaddr_ll to = {
		.sll_family = AF_PACKET,
		.sll_protocol = htons(ETHERTYPE_IP),
		.sll_ifindex = (int)if_nametoindex(DEVICE),
		.sll_halen = ETH_ALEN,
	};

	memset(to.sll_addr, 0xff, ETH_ALEN);
	return fd < 0 ? -errno : told(sendto(fd, bytes, len, 0, (struct sockaddr *)&to, sizeof(to)));
}

static int packet_raw(struct trial *trial)
{
	struct frame frame = frame_of(trial);

	return send_packet(SOCK_RAW, &frame, sizeof(frame));
}

static int packet_dgram(struct trial *trial)
{
	struct datagram datagram = datagram_from(TUN_HOST, trial);

	return send_packet(SOCK_DGRAM, &datagram, sizeof(datagram));
}

/* By the name that it had before there was a family. */
static int packet_old(struct trial *trial)
{
	int fd = socket(AF_INET, SOCK_PACKET | SOCK_CLOEXEC, htons(ETHERTYPE_IP));
	struct sockaddr_pkt to = {.spkt_family = AF_PACKET, .spkt_device = DEVICE, .spkt_protocol = htons(ETHERTYPE_IP)};
	struct frame frame = frame_of(trial);

	return fd < 0 ? -errno : told(sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)));
}

static int make_packet_socket(struct trial *trial)
{
	trial->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	return told(trial->fd);
}

static int packet_earlier(struct trial *trial)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(DEVICE)};
	struct frame frame = frame_of(trial);

	return told(sendto(trial->fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)));
}

/* ---- XDP sockets ---- */

#define XDP_FRAME 4096
#define XDP_FRAMES 4

/* One frame of memory with the packet in it, and rings as the kernel insists on them. */
static int set_up_xdp(int fd, void *memory)
{
	struct xdp_umem_reg umem = {.addr = (uintptr_t)memory, .len = XDP_FRAME * XDP_FRAMES, .chunk_size = XDP_FRAME};
	int entries = XDP_FRAMES;

	if (setsockopt(fd, SOL_XDP, XDP_UMEM_REG, &umem, sizeof(umem)) < 0 ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_FILL_RING, &entries, sizeof(entries)) < 0 ||
	    setsockopt(fd, SOL_XDP, XDP_UMEM_COMPLETION_RING, &entries, sizeof(entries)) < 0 ||
	    setsockopt(fd, SOL_XDP, XDP_TX_RING, &entries, sizeof(entries)) < 0)
		return -errno;
	return 0;
}

static int queue_xdp(int fd, uint32_t len)
{
	struct xdp_mmap_offsets offsets;
	socklen_t offsets_len = sizeof(offsets);
	struct xdp_desc *descriptors;
	char *ring;

	if (getsockopt(fd, SOL_XDP, XDP_MMAP_OFFSETS, &offsets, &offsets_len) < 0)
		return -errno;
	ring = mmap(NULL, offsets.tx.desc + XDP_FRAMES * sizeof(*descriptors), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_POPULATE, fd, XDP_PGOFF_TX_RING);
	if (ring == MAP_FAILED)
		return -errno;
	descriptors = (struct xdp_desc *)(ring + offsets.tx.desc);
	descriptors[0] = (struct xdp_desc){.addr = 0, .len = len};
	__atomic_store_n((uint32_t *)(ring + offsets.tx.producer), 1, __ATOMIC_RELEASE);
	return 0;
}

/* The queue may still be that of a socket that was closed a moment ago. */
static int bind_xdp(int fd)
{
	struct sockaddr_xdp at = {.sxdp_family = AF_XDP, .sxdp_flags = XDP_COPY, .sxdp_ifindex = if_nametoindex(DEVICE)};
	int r;

	for (int i = 0; i < 500; i++) {
		r = told(bind(fd, (struct sockaddr *)&at, sizeof(at)));
		if (r != -EBUSY)
			return r;
		poll(NULL, 0, 10);
	}
	return r;
}

static int xdp(struct trial *trial)
{
	struct frame frame = frame_of(trial);
	void *memory = mmap(NULL, XDP_FRAME * XDP_FRAMES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0), r;

	if (fd < 0 || memory == MAP_FAILED)
		return -errno;
	memcpy(memory, &frame, sizeof(frame));
	r = set_up_xdp(fd, memory);
	if (r == 0)
		r = queue_xdp(fd, sizeof(frame));
	if (r == 0)
		r = bind_xdp(fd);
	return r < 0 ? r : told(sendto(fd, NULL, 0, MSG_DONTWAIT, NULL, 0));
}

/* ---- sockets of which the making is all that is looked at ---- */

static int make(int family, int type)
{
	_cleanup_close_ int fd = socket(family, type | SOCK_CLOEXEC, 0);

	return told(fd);
}

static int make_vsock(struct trial *trial)
{
	(void)trial;
	return make(AF_VSOCK, SOCK_STREAM);
}

static int make_tipc(struct trial *trial)
{
	(void)trial;
	return make(AF_TIPC, SOCK_RDM);
}

static int make_rds(struct trial *trial)
{
	(void)trial;
	return make(AF_RDS, SOCK_SEQPACKET);
}

/* ---- devices ---- */

/* Commands of iproute2 and nftables, which say on standard error what they do not like. */
static int commands(const char *text)
{
	char line[1024];

	snprintf(line, sizeof(line), "set -e; %s", text);
	return system(line) == 0 ? 0 : -EOPNOTSUPP;
}

/* What is written to it comes in by it, from a host behind it, and is forwarded. */
static int tun(struct trial *trial)
{
	struct datagram datagram = datagram_from(TUN_HOST, trial);
	struct ifreq request = {.ifr_name = "leaktun", .ifr_flags = IFF_TUN | IFF_NO_PI};
	_cleanup_close_ int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
	int r;

	if (fd < 0 || ioctl(fd, TUNSETIFF, &request) < 0)
		return -errno;
	r = commands("ip address add 10.93.0.1/24 dev leaktun; ip link set leaktun up");
	return r < 0 ? r : told(write(fd, &datagram, sizeof(datagram)));
}

/* A datagram to a host of the mesh, which is said to be behind the device. */
static int send_into(const struct trial *trial, const char *host)
{
	struct errand errand = trial_errand(trial);
	struct destination to = {};
	char port[8];

	snprintf(port, sizeof(port), "%u", ntohs(trial->to[OUT4].ipv4.sin_port));
	if (parse_destination(host, port, &to) < 0)
		return -EINVAL;
	errand.to = &to;
	return way_go(way_find("udp-sendto"), &errand);
}

static int vxlan(struct trial *trial)
{
	int r = commands("ip link add " VXLAN_DEVICE " type vxlan id 7 remote 10.91.0.3 dstport 4789 dev " DEVICE
		   "; ip address add 10.99.0.1/24 dev " VXLAN_DEVICE "; ip link set " VXLAN_DEVICE " up"
		   "; ip neighbour add " VXLAN_HOST " lladdr 02:00:00:00:00:07 dev " VXLAN_DEVICE);

	if (r < 0)
		return r;
	r = send_into(trial, VXLAN_HOST);
	commands("ip link del " VXLAN_DEVICE);
	return r;
}

static int ipip(struct trial *trial)
{
	int r = commands("ip link add " IPIP_DEVICE " type ipip local 10.91.0.1 remote 10.91.0.3"
		   "; ip address add 10.99.1.1/24 dev " IPIP_DEVICE "; ip link set " IPIP_DEVICE " up");

	if (r < 0)
		return r;
	r = send_into(trial, IPIP_HOST);
	commands("ip link del " IPIP_DEVICE);
	return r;
}

/* A table of the workload's own, which sends what is for the mesh elsewhere. */
static int own_nat(struct trial *trial)
{
	struct errand errand = trial_errand(trial);
	int r = commands("nft 'table ip leak { chain output { type nat hook output priority -100;"
		   " ip daddr 10.91.0.2 dnat to 10.91.0.3; }; }'");

	if (r < 0)
		return r;
	errand.to = &trial->to[MESH4];
	r = way_go(way_find("udp-sendto"), &errand);
	commands("nft delete table ip leak");
	return r;
}

#define DEVICES_LINE "tun and tunnel devices"

const struct leak_case device_cases[] = {
	{"packet-raw", "packet sockets", .run = packet_raw, .reason = PROTOCOL, .line = "AF_PACKET"},
	{"packet-dgram", "packet sockets", .run = packet_dgram, .reason = PROTOCOL, .line = "AF_PACKET"},
	{"packet-old", "packet sockets", .run = packet_old, .reason = PROTOCOL, .line = "AF_PACKET"},
	{"packet-earlier", "packet sockets made before the enrolment", .before = make_packet_socket, .run = packet_earlier,
	 .past = EARLIER, .reason = PROTOCOL, .line = "AF_PACKET"},
	{"xdp", "XDP sockets", .run = xdp, .reason = PROTOCOL, .line = "AF_XDP", .optional = true},
	{"vsock", "vsock sockets: that they are made", .run = make_vsock, .reason = PROTOCOL, .line = "AF_VSOCK",
	 .optional = true, .creation = true},
	{"tipc", "TIPC and RDS sockets: that they are made", .run = make_tipc, .reason = PROTOCOL, .line = "other families",
	 .optional = true, .creation = true},
	{"rds", "TIPC and RDS sockets: that they are made", .run = make_rds, .reason = PROTOCOL, .line = "other families",
	 .optional = true, .creation = true},
	{"tun", "packets written to a tun device, forwarded", .run = tun, .line = DEVICES_LINE, .optional = true},
	{"vxlan", "a VXLAN tunnel of the workload's own, to allowed inner addresses", .run = vxlan, .line = DEVICES_LINE, .optional = true},
	{"ipip", "the same by IPIP", .run = ipip, .line = DEVICES_LINE, .optional = true},
	{"own-nat", "NAT of the workload's own", .run = own_nat, .line = "NAT", .optional = true},
};
const unsigned int device_count = EG_COUNT_OF(device_cases);
