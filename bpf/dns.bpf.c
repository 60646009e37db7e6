/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
/*
 * dns: reports questions to name servers and their answers, as they cross the asker's socket.
 *
 * Hook:   cgroup_skb/{egress,ingress} at the root of cgroup version 2; kernel >= 5.12.
 * Emits:  struct clew_dns on the bulk ring, with the message as it was on the wire.
 * Cost:   a comparison of ports for every packet of a socket; no packet is ever changed or refused.
 * Loses:  a record when the ring is full or the CPU had DNS_PER_SECOND_MAX in this second, counted
 *         in counts.dropped[KIND_DNS]. What encrypts (DNS over TLS and HTTPS), what bypasses the
 *         network stack (packet sockets), and the second and later segments of a message over TCP
 *         are not seen.
 *
 * A question leaves in the context of the task that sends it, which is noted by the socket's
 * cookie; an answer arrives in the context of whoever was running, and is told of the asker.
 * Programs of this hook may interrupt one another on a CPU, so records are built in the ring.
 */
#include "lib/task.h"

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PORT_DNS 53
/* Resolver of Docker's own networks, 127.0.0.11: its rules have put another port in place of 53
 * when a question comes by. */
#define DOCKER_RESOLVER bpf_htonl(0x7f00000b)
#define FRAGMENT_OFFSET bpf_htons(0x1fff)
#define IPV4_BYTES 20
#define IPV6_BYTES 40
/* Where the sender's address lies. */
#define IPV4_SOURCE 12
#define IPV6_SOURCE 8
#define UDP_BYTES 8
#define TCP_BYTES 20
/* The length that stands before a message over TCP, and the message's header. */
#define TCP_PREFIX_BYTES 2
#define DNS_HEADER_BYTES 12
/* Most messages are short; a short one takes less of the ring. */
#define SHORT_BYTES 256

/* The context of the hook as far as it is read; fixed layout of include/uapi/linux/bpf.h. */
struct __sk_buff {
	u32 len, pkt_type, mark, queue_mapping, protocol, vlan_present, vlan_tci, vlan_proto;
	u32 priority, ingress_ifindex, ifindex, tc_index, cb[5], hash, tc_classid, data, data_end;
};

/* Who asked. */
struct asker {
	u64 start_ns, cgroup;
	u32 tgid, tid;
};

/* Cookie of a socket → who asked through it last; written with a question; when full the one not
 * used for the longest goes, and its answers are told of nobody. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, u64);
	__type(value, struct asker);
} askers SEC(".maps");

/* Messages of the current second. */
struct second {
	u64 number;
	u32 count;
};

/* 0 → what this CPU told in this second; written here only. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct second);
} seconds SEC(".maps");

/* A message and the socket's ends. */
struct packet {
	struct clew_endpoint ends;
	/* Where the message begins, and how long it is. */
	u32 at, size;
};

static __always_inline bool is_name_server(u16 port, const u8 *address, u32 protocol)
{
	return port == bpf_htons(PORT_DNS) ||
	       (protocol == ETH_P_IP && *(u32 *)address == DOCKER_RESOLVER);
}

/* Whether `skb` holds a message to (or from) a name server; if so `packet` is filled. */
static __always_inline bool read_packet(struct __sk_buff *skb, struct packet *packet, bool is_sent)
{
	u8 *data = (u8 *)(long)skb->data, *end = (u8 *)(long)skb->data_end;
	u32 family = bpf_ntohs(skb->protocol), header, protocol, address_bytes;
	u8 *source;
	if (family == ETH_P_IP) {
		if (data + IPV4_BYTES > end || *(u16 *)(data + 6) & FRAGMENT_OFFSET)
			return false;
		header = (data[0] & 0xf) * 4;
		protocol = data[9];
		source = data + IPV4_SOURCE;
		address_bytes = 4;
	} else if (family == ETH_P_IPV6) {
		if (data + IPV6_BYTES > end)
			return false;
		header = IPV6_BYTES;
		protocol = data[6];
		source = data + IPV6_SOURCE;
		address_bytes = 16;
	} else {
		return false;
	}
	if (protocol != PROTOCOL_UDP && protocol != PROTOCOL_TCP)
		return false;
	u8 *transport = data + header;
	if (transport + UDP_BYTES > end)
		return false;
	u16 from = *(u16 *)transport, to = *(u16 *)(transport + 2);
	u8 *server = is_sent ? source + address_bytes : source;
	if (!is_name_server(is_sent ? to : from, server, family))
		return false;
	packet->at = header + UDP_BYTES;
	if (protocol == PROTOCOL_TCP) {
		if (transport + TCP_BYTES > end)
			return false;
		packet->at = header + (transport[12] >> 4) * 4;
	}
	if (skb->len <= packet->at)
		return false;
	packet->size = skb->len - packet->at;
	packet->ends.family = family == ETH_P_IP ? AF_INET : AF_INET6;
	packet->ends.protocol = protocol;
	packet->ends.local_port = bpf_ntohs(is_sent ? from : to);
	packet->ends.remote_port = bpf_ntohs(is_sent ? to : from);
	/* The verifier has forgotten by now how much of the packet was looked at. */
	u32 first = family == ETH_P_IP ? IPV4_SOURCE : IPV6_SOURCE;
	u32 second = first + address_bytes;
	bpf_skb_load_bytes(skb, is_sent ? first : second, packet->ends.local, address_bytes);
	bpf_skb_load_bytes(skb, is_sent ? second : first, packet->ends.remote, address_bytes);
	return true;
}

/* Whether a segment begins with a message: a length that reaches to its end at least, and one
 * question. */
static __always_inline bool begins_message(struct __sk_buff *skb, struct packet *packet)
{
	u8 start[TCP_PREFIX_BYTES + DNS_HEADER_BYTES];
	if (bpf_skb_load_bytes(skb, packet->at, start, sizeof(start)))
		return false;
	u32 told = start[0] << 8 | start[1];
	return told + TCP_PREFIX_BYTES >= packet->size && !start[6] && start[7] == 1;
}

static __always_inline bool is_over_rate(u64 now_ns)
{
	u32 zero = 0;
	struct second *second = bpf_map_lookup_elem(&seconds, &zero);
	if (!second)
		return true;
	u64 number = now_ns / NS_PER_S;
	if (second->number != number) {
		second->number = number;
		second->count = 0;
	}
	second->count++;
	return second->count > DNS_PER_SECOND_MAX;
}

/* Writes a record with room for `room` bytes of message, which is constant where it is used. */
static __always_inline void put(struct __sk_buff *skb, struct clew_header *header,
				struct packet *packet, const u32 room)
{
	struct clew_dns *record = bpf_ringbuf_reserve(&ring_bulk, sizeof(*record) + room, 0);
	if (!record) {
		count_dropped(KIND_DNS);
		return;
	}
	u32 size = packet->size;
	asm volatile("" : "+r"(size));
	record->message.flags = size > room ? TEXT_TRUNCATED : 0;
	if (size > room)
		size = room;
	record->header = *header;
	record->header.size = sizeof(*record) + room;
	record->ends = packet->ends;
	record->message.offset = sizeof(*record);
	record->message.size = size;
	record->message.reserved = 0;
	if (size < 1 || bpf_skb_load_bytes(skb, packet->at, record + 1, size)) {
		record->message.size = 0;
		record->message.flags = TEXT_UNREAD;
		count_unread();
	}
	bpf_ringbuf_submit(record, 0);
}

/* The sender of `skb` is the current task, unless a segment is sent for another one later. */
static __always_inline bool is_sender(struct __sk_buff *skb, struct task_struct *task)
{
	return task->cgroups->dfl_cgrp->kn->id == bpf_skb_cgroup_id(skb);
}

static __always_inline int report(struct __sk_buff *skb, bool is_sent)
{
	struct packet packet = {};
	if (!read_packet(skb, &packet, is_sent))
		return 1;
	if (packet.ends.protocol == PROTOCOL_TCP && !begins_message(skb, &packet))
		return 1;
	struct task_struct *task = bpf_get_current_task_btf();
	struct clew_config *set = settings();
	struct clew_header header = {};
	struct asker asker = {};
	u64 cookie = bpf_get_socket_cookie(skb);
	if (!is_sent) {
		struct asker *known = bpf_map_lookup_elem(&askers, &cookie);
		if (known)
			asker = *known;
	} else if (is_sender(skb, task)) {
		asker.tgid = task->tgid;
		asker.tid = task->pid;
		asker.start_ns = task->group_leader->start_boottime;
		asker.cgroup = cgroup_of(task);
		bpf_map_update_elem(&askers, &cookie, &asker, BPF_ANY);
	}
	if (!set || (asker.tgid == set->own_tgid && !set->is_own_reported))
		return 1;
	if (!identify(&header, KIND_DNS, task))
		return 1;
	header.tgid = asker.tgid;
	header.tid = asker.tid;
	header.start_ns = asker.start_ns;
	header.cgroup = asker.cgroup;
	if (is_over_rate(header.time_ns))
		count_dropped(KIND_DNS);
	else if (packet.size <= SHORT_BYTES)
		put(skb, &header, &packet, SHORT_BYTES);
	else
		put(skb, &header, &packet, DNS_BYTES_MAX);
	return 1;
}

SEC("cgroup_skb/egress")
int on_dns_sent(struct __sk_buff *skb)
{
	return report(skb, true);
}

SEC("cgroup_skb/ingress")
int on_dns_received(struct __sk_buff *skb)
{
	return report(skb, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
