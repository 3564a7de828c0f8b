/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_PINNING_H
#define EG_DATAPATH_PINNING_H

/* What the files about pins share. */
#include <stddef.h>
#include <stdint.h>

/* Sets *ret_problem and returns error. */
__attribute__((format(printf, 3, 4))) int eg_problem(char **ret_problem, int error, const char *format, ...);
/* Ours: a directory of root's alone on a BPF file system. */
int eg_pins_check_directory(const char *directory, char **ret_problem);
/* The first word of an eg_control of any ABI. 0, -EPROTO for a map that cannot be one, or -errno. */
int eg_pins_read_abi(int control_fd, uint32_t *ret_abi);
int eg_link_pin_name(uint32_t slot, uint64_t cgroup_id, const char *program, char *name, size_t size);

/* Detaches the link that is pinned there and removes the pin; 0 also when nothing is there. */
int eg_pins_remove_link(const char *path);

#endif
