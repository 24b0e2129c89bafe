/**
 * Whether the ranks of a job are one program that computes alike, asked before anything else is exchanged.
 *
 * Hosts of a cluster may have other builds, or libraries that change the arithmetic, without anyone's having
 * asked for it. Kernels may differ: all sets give the same bits.
 */
#ifndef DT_TRAIN_LAUNCH_H
#define DT_TRAIN_LAUNCH_H

#include "base/status.h"
#include "comm/world.h"

/**
 * Fails, naming the rank and its host, when a rank runs another dtrain (version, commit, or the bytes of the
 * program file, which differ between builds), where its arithmetic is not IEEE 754's (base/ieee.h), or where
 * DTRAIN_ISA asks for kernels that there are not. Collective.
 */
dt_status dt_launch_check(const dt_world *world);

#endif
