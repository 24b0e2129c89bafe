/* A table of first bytes, and for wide characters without a mark the look of their code points. */
#include "data/recognise.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "base/assert.h"

/* Wide characters pass for text when at most one in RARE is a control character that no text has, and at
 * least one in COMMON is of ASCII, as ends of lines and spaces are in any script. */
#define RARE   1000
#define COMMON 200

/* The bytes of a literal, which may hold NUL, and how many there are. */
#define BYTES(literal) .bytes = (literal), .length = sizeof(literal) - 1

/* `what` is said to be found, `way` what to do. */
typedef struct signature {
    int64_t at;
    const char *bytes;
    size_t length;
    const char *what, *way;
} signature;

#define UNPACK(command) "unpack it (" command ") and name the text that was in it"

static const signature signatures[] = {
    {0, BYTES("\x1F\x8B"), "a file packed by gzip", UNPACK("gunzip -k FILE")},
    {0, BYTES("\x1F\x9D"), "a file packed by compress", UNPACK("gunzip -k FILE")},
    {0, BYTES("\x28\xB5\x2F\xFD"), "a file packed by zstd", UNPACK("unzstd FILE")},
    {1, BYTES("\x2A\x4D\x18"), "a file packed by zstd", UNPACK("unzstd FILE")}, /* a frame to be skipped */
    {0,
     BYTES("\xFD"
           "7zXZ\0"),
     "a file packed by xz", UNPACK("unxz -k FILE")},
    {4, BYTES("1AY&SY"), "a file packed by bzip2", UNPACK("bunzip2 -k FILE")},
    {0, BYTES("\x04\x22\x4D\x18"), "a file packed by lz4", UNPACK("unlz4 FILE")},
    {0, BYTES("PK\x03\x04"), "a zip archive, as office documents, e-books and PyTorch's files are",
     UNPACK("unzip FILE")},
    {0, BYTES("7z\xBC\xAF\x27\x1C"), "a 7-Zip archive", UNPACK("7z x FILE")},
    {0, BYTES("Rar!\x1A\x07"), "a RAR archive", UNPACK("unrar x FILE")},
    {257, BYTES("ustar\0"), "a tar archive", UNPACK("tar xf FILE")},
    {257, BYTES("ustar  \0"), "a tar archive", UNPACK("tar xf FILE")},
    {0, BYTES("%PDF-"), "a PDF document", "extract its text (pdftotext FILE) and name that"},
    {0, BYTES("\xD0\xCF\x11\xE0"), "a document of an old office format",
     "save it as plain text in UTF-8 and name that"},
    {0, BYTES("SQLite format 3\0"), "an SQLite database", "write its text to a file and name that"},
    {0, BYTES("PAR1\x15"), "a Parquet table", "write its text to a file and name that"},
    {0, BYTES("ARROW1\0"), "an Arrow table", "write its text to a file and name that"},
    {0, BYTES("\x93NUMPY"), "a NumPy array", "name the text that it was made from"},
    {0, BYTES("\x89HDF"), "an HDF5 file", "name the text that it was made from"},
    {0,
     BYTES("\x7F"
           "ELF"),
     "a compiled program (ELF)", "name a text"},
    {0, BYTES("\x89PNG"), "an image", "name a text"},
    {0, BYTES("\xFF\xD8\xFF"), "an image", "name a text"},
};

static const signature *find_signature(const uint8_t *bytes, int64_t length) {
    for (size_t i = 0; i < sizeof signatures / sizeof *signatures; i++) {
        const signature *s = &signatures[i];
        if (length >= s->at + (int64_t)s->length && memcmp(bytes + s->at, s->bytes, s->length) == 0)
            return s;
    }
    return NULL;
}

/* A Unicode encoding whose units are `width` bytes. */
typedef struct encoding {
    const char *name; /* as iconv knows it */
    int width;
    bool big_endian;
    const char *mark; /* U+FEFF in it */
} encoding;

/* UTF-32 first: its little-endian mark begins as that of UTF-16 does. */
static const encoding encodings[] = {{"UTF-32LE", 4, false, "\xFF\xFE\0\0"},
                                     {"UTF-32BE", 4, true, "\0\0\xFE\xFF"},
                                     {"UTF-16LE", 2, false, "\xFF\xFE"},
                                     {"UTF-16BE", 2, true, "\xFE\xFF"}};

static uint32_t unit_at(const encoding *e, const uint8_t *bytes) {
    uint32_t unit = 0;
    for (int i = 0; i < e->width; i++)
        unit = unit << 8 | bytes[e->big_endian ? i : e->width - 1 - i];
    return unit;
}

/*
 * Whether all units are characters that a text may have. Token ids of other programs are wide numbers too,
 * but among them are 0, or many of those that are control characters here.
 */
static bool reads_as(const encoding *e, const uint8_t *bytes, int64_t length) {
    const int64_t units = length / e->width;
    int64_t controls = 0, ascii = 0;
    bool high = false; /* a high surrogate waits for its low one */
    for (int64_t i = 0; i < units; i++) {
        const uint32_t unit = unit_at(e, bytes + i * e->width);
        const bool is_low = unit >= 0xDC00 && unit <= 0xDFFF, is_high = unit >= 0xD800 && unit <= 0xDBFF;
        if (unit == 0 || unit > 0x10FFFF || (unit & 0xFFFE) == 0xFFFE)
            return false;
        if (e->width == 4 ? is_low || is_high : is_low != high)
            return false;
        high = is_high;
        ascii += unit < 0x80;
        controls += unit < ' ' && unit != '\n' && unit != '\r' && unit != '\t' && unit != '\f';
    }
    return units > 0 && controls * RARE <= units && ascii * COMMON >= units;
}

/* Whether nine bytes of ten are letters of ASCII and the like: of wide characters at most about half are. */
static bool is_narrow(const uint8_t *bytes, int64_t length) {
    int64_t narrow = 0;
    for (int64_t i = 0; i < length; i++)
        narrow += bytes[i] >= ' ' && bytes[i] <= '~';
    return narrow * 10 >= length * 9;
}

static const encoding *find_encoding(const uint8_t *bytes, int64_t length, bool has_zero) {
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (length >= encodings[i].width && memcmp(bytes, encodings[i].mark, (size_t)encodings[i].width) == 0)
            return &encodings[i];
    /* A character of ASCII has a NUL byte there, which no text in UTF-8 has. */
    if (!has_zero || is_narrow(bytes, length))
        return NULL;
    for (size_t i = 0; i < sizeof encodings / sizeof *encodings; i++)
        if (reads_as(&encodings[i], bytes, length))
            return &encodings[i];
    return NULL;
}

dt_status dt_recognise_text(const char *path, const uint8_t *bytes, int64_t length) {
    DT_ASSERT(length >= 0);
    const uint8_t *zero = memchr(bytes, 0, (size_t)length);
    const signature *s = find_signature(bytes, length);
    if (s != NULL)
        return dt_usage("cannot use %s: expected a text in UTF-8, found %s; %s", path, s->what, s->way);
    const encoding *e = find_encoding(bytes, length, zero != NULL);
    if (e != NULL)
        return dt_usage(
            "cannot use %s: expected a text in UTF-8, found one in %s; convert it (iconv -f %s -t "
            "UTF-8 FILE >NEW) and name the new file",
            path, e->name, e->name);
    if (zero != NULL)
        return dt_usage(
            "cannot use %s: expected a text in UTF-8, found a NUL byte at offset %td, which a text does "
            "not have but a binary file does; for tokens without a header, as nanoGPT's train.bin has them, name a file "
            "that is not packed and give data_format: uint16 (or uint32), else name the text that it was made from, or remove such bytes "
            "(tr -d '\\000' <FILE >NEW)",
            path, zero - bytes);
    return DT_OK;
}

bool dt_recognise_mark(const uint8_t *bytes, int64_t length) {
    return length >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0;
}
