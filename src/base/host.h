/**
 * The name of this host.
 */
#ifndef DT_BASE_HOST_H
#define DT_BASE_HOST_H

/** Room for a host's name with the 0 byte; longer names are cut. */
#define DT_HOST_BYTES 256

/** Writes the host's name, "unknown host" where the system does not tell one. Local. */
void dt_host_name(char name[DT_HOST_BYTES]);

#endif
