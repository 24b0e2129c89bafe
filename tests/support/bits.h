/* How many of a file's bits are turned, one by one, to see that each is noticed. */
#ifndef DT_TESTS_BITS_H
#define DT_TESTS_BITS_H

/* gcc's build turns every bit. Another compiler would find nothing more, and a sanitizer takes its time:
 * there it is one in seven, a prime number, so that all eight places in a byte have their turn. */
#if defined(__SANITIZE_ADDRESS__) || defined(__clang__)
#define BITS_APART 7
#else
#define BITS_APART 1
#endif

#endif
