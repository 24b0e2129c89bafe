/**
 * Numbers for people, in one style wherever a line, a table or an error shows one: three digits and a prefix.
 *
 *     counts   950  37.9k  3.28M  1.5G  2T          powers of 1000
 *     rates    950 FLOP/s  37.9 GFLOP/s         the unit follows the prefix
 *     bytes    950 B  37.9 kB  3.28 MB  1.5 GB      powers of 1000 too: 1 GB is 10^9 bytes
 *     times    84 us  54.2 ms  1.23 s  0:12:34      from two minutes on hours, minutes and seconds
 *
 * What a program reads (JSON) has plain numbers and does not come here. All functions are pure and local.
 */
#ifndef DT_BASE_UNITS_H
#define DT_BASE_UNITS_H

/** A number as text. By value, so that it can be made where it is printed: dt_units_count(n).text. */
typedef struct dt_units {
    char text[32];
} dt_units;

/** A count: "37.9k". */
dt_units dt_units_count(double count);

/** A count whose unit follows at once, "350 G" before "FLOP/s". */
dt_units dt_units_rate(double rate);

/** A number of bytes: "3.28 MB". */
dt_units dt_units_bytes(double bytes);

/** A duration: "54.2 ms"; from two minutes on as dt_units_clock. */
dt_units dt_units_seconds(double seconds);

/** A duration in hours, minutes and seconds, "0:12:34"; "-:--:--" where it is negative or not finite. */
dt_units dt_units_clock(double seconds);

#endif
