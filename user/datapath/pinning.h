/* SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only */
#ifndef EG_DATAPATH_PINNING_H
#define EG_DATAPATH_PINNING_H

/* What the files about pins and pinned maps share. */
#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/pins.h"

/* Sets *ret_problem and returns error. */
__attribute__((format(printf, 3, 4))) int eg_problem(char **ret_problem, int error, const char *format, ...);
/* Ours: a directory of root's alone on a BPF file system. */
int eg_pins_check_directory(const char *directory, char **ret_problem);
/* What is in the directory of the pins. */
#define EG_PIN_FOLDERS 4
extern const char *const eg_pin_folders[EG_PIN_FOLDERS];
/* Makes the directory with its folders, or checks those that are there. */
int eg_pins_make_folders(const char *directory, char **ret_problem);
/* The first word of an eg_control of any ABI. 0, -EPROTO for a map that cannot be one, or -errno. */
int eg_pins_read_abi(int control_fd, uint32_t *ret_abi);
int eg_link_pin_name(uint32_t slot, uint64_t cgroup_id, const char *program, char *name, size_t size);
/* The same backwards: what the name of a file in links/ says. */
bool eg_link_pin_parse(const char *name, struct eg_link_pin *ret_pin);
/* The folder of the links; NULL with errno. */
DIR *eg_link_pins_open(const char *directory);
/* A descriptor of a link that is pinned there, or -errno. */
int eg_link_pin_open(int links_fd, const char *name);

/*
 * The entries of a map that can be mapped (BPF_F_MMAPABLE), of that size each, where they stand. 0 with all of
 * them for eg_entries_unmap(), or -errno.
 */
struct eg_entries {
	const void *values;
	uint32_t count;
	size_t size; /* of one */
};
int eg_entries_map(int map_fd, size_t size, struct eg_entries *ret_entries);
void eg_entries_unmap(struct eg_entries *entries);

/* Detaches the link that is pinned there and removes the pin; 0 also when nothing is there. */
int eg_pins_remove_link(const char *path);

#endif
