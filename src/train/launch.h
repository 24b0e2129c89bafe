/**
 * Whether the ranks of a job are one program that computes alike, asked before anything else is exchanged.
 *
 * The same bits are promised to one binary, one set of kernels and one C library; hosts of a cluster may
 * differ in any of them without anyone's having asked for it.
 */
#ifndef DT_TRAIN_LAUNCH_H
#define DT_TRAIN_LAUNCH_H

#include "base/status.h"
#include "comm/world.h"

/**
 * Fails, naming the rank and its host, when a rank runs another dtrain (version, commit, or the bytes of the
 * program file, which differ between builds), or computes with other kernels or another C library, or where
 * DTRAIN_ISA asks for kernels that there are not. Collective.
 */
dt_status dt_launch_check(const dt_world *world);

#endif
