/*
 * The colours of charts, in the light and in the dark, as eyes with each kind of colour blindness see them:
 * each two series are told apart, and each stands out from the paper.
 *
 * What such eyes see is Machado, Oliveira and Fernandes' model (IEEE TVCG 15(6), 2009, severity 1.0), on
 * linear RGB; how far two colours are apart is CIEDE2000 (Sharma, Wu and Dalal, Color Res. Appl. 30(1),
 * 2005).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "report/embedded.h"

#define SERIES 8

/* About what a glance tells apart; 1 is the least that an eye sees side by side. */
#define APART 10.0

/* Of luminances, for marks and lines, by which WCAG asks for 3; the fifth and the sixth series have less. */
#define CONTRAST 2.5

typedef struct triple {
    double v[3];
} triple;

static const struct {
    const char *name;
    double matrix[3][3];
} eyes[] = {
    {"all cones", {{1, 0, 0}, {0, 1, 0}, {0, 0, 1}}},
    {"protanopia",
     {{0.152286, 1.052583, -0.204868}, {0.114503, 0.786281, 0.099216}, {-0.003882, -0.048116, 1.051998}}},
    {"deuteranopia",
     {{0.367322, 0.860646, -0.227968}, {0.280085, 0.672501, 0.047413}, {-0.011820, 0.042940, 0.968881}}},
    {"tritanopia",
     {{1.255528, -0.076749, -0.178779}, {-0.078411, 0.930809, 0.147602}, {0.004733, 0.691367, 0.303900}}},
};

#define EYES (sizeof eyes / sizeof *eyes)

static triple multiply(const double m[3][3], triple x) {
    triple y;
    for (int i = 0; i < 3; i++)
        y.v[i] = m[i][0] * x.v[0] + m[i][1] * x.v[1] + m[i][2] * x.v[2];
    return y;
}

/* sRGB's curve (IEC 61966-2-1). */
static double linear_of(unsigned byte) {
    const double c = byte / 255.0;
    return c <= 0.04045 ? c / 12.92 : pow((c + 0.055) / 1.055, 2.4);
}

/* The value of the variable `name` behind `from`, as linear RGB. */
static triple colour_of(const char *from, const char *name) {
    char word[16];
    unsigned red, green, blue;
    snprintf(word, sizeof word, "--%s: #", name);
    const char *at = strstr(from, word);
    assert_non_null(at);
    at += strlen(word);
    if (strcspn(at, ";") == 3) { /* #fff */
        assert_int_equal(sscanf(at, "%1x%1x%1x", &red, &green, &blue), 3);
        return (triple){{linear_of(17 * red), linear_of(17 * green), linear_of(17 * blue)}};
    }
    assert_int_equal(sscanf(at, "%2x%2x%2x", &red, &green, &blue), 3);
    return (triple){{linear_of(red), linear_of(green), linear_of(blue)}};
}

static double cube_root(double t) {
    return t > 216.0 / 24389.0 ? cbrt(t) : (24389.0 / 27.0 * t + 16.0) / 116.0;
}

/* CIE L*a*b* of linear RGB, by the white D65. */
static triple lab_of(triple rgb) {
    static const double to_xyz[3][3] = {{0.4124564, 0.3575761, 0.1804375},
                                        {0.2126729, 0.7151522, 0.0721750},
                                        {0.0193339, 0.1191920, 0.9503041}};
    for (int i = 0; i < 3; i++)
        rgb.v[i] = fmin(fmax(rgb.v[i], 0.0), 1.0);
    const triple xyz = multiply(to_xyz, rgb);
    const double x = cube_root(xyz.v[0] / 0.95047), y = cube_root(xyz.v[1]),
                 z = cube_root(xyz.v[2] / 1.08883);
    return (triple){{116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)}};
}

static double radians(double degrees) {
    return degrees * acos(-1.0) / 180.0;
}

static double hue_of(double a, double b) {
    const double degrees = a == 0.0 && b == 0.0 ? 0.0 : atan2(b, a) * 180.0 / acos(-1.0);
    return degrees < 0.0 ? degrees + 360.0 : degrees;
}

/* Sharma's equations 2 to 22, with all weights 1. */
static double difference(triple p, triple q) {
    const double mean_chroma = 0.5 * (hypot(p.v[1], p.v[2]) + hypot(q.v[1], q.v[2]));
    const double g = 0.5 * (1.0 - sqrt(pow(mean_chroma, 7) / (pow(mean_chroma, 7) + pow(25.0, 7))));
    const double a1 = (1.0 + g) * p.v[1], a2 = (1.0 + g) * q.v[1];
    const double c1 = hypot(a1, p.v[2]), c2 = hypot(a2, q.v[2]), h1 = hue_of(a1, p.v[2]),
                 h2 = hue_of(a2, q.v[2]);
    double turn = h2 - h1, hue = 0.5 * (h1 + h2);
    if (fabs(turn) > 180.0) {
        turn -= copysign(360.0, turn);
        hue += h1 + h2 < 360.0 ? 180.0 : -180.0;
    }
    if (c1 * c2 == 0.0) {
        turn = 0.0;
        hue = h1 + h2;
    }
    const double light = q.v[0] - p.v[0], chroma = c2 - c1,
                 hue_length = 2.0 * sqrt(c1 * c2) * sin(radians(0.5 * turn));
    const double l = 0.5 * (p.v[0] + q.v[0]) - 50.0, c = 0.5 * (c1 + c2);
    const double t = 1.0 - 0.17 * cos(radians(hue - 30.0)) + 0.24 * cos(radians(2.0 * hue)) +
                     0.32 * cos(radians(3.0 * hue + 6.0)) - 0.20 * cos(radians(4.0 * hue - 63.0));
    const double weight_l = 1.0 + 0.015 * l * l / sqrt(20.0 + l * l), weight_c = 1.0 + 0.045 * c,
                 weight_h = 1.0 + 0.015 * c * t;
    const double rotation = -2.0 * sqrt(pow(c, 7) / (pow(c, 7) + pow(25.0, 7))) *
                            sin(radians(60.0 * exp(-pow((hue - 275.0) / 25.0, 2))));
    const double x = light / weight_l, y = chroma / weight_c, z = hue_length / weight_h;
    return sqrt(x * x + y * y + z * z + rotation * y * z);
}

/* Pairs of Sharma's table, which tell one wrong sign or quadrant from the right ones. */
static void the_difference_is_sharmas(void **state) {
    static const struct {
        triple p, q;
        double expected;
    } pairs[] = {
        {{{50.0, 2.6772, -79.7751}}, {{50.0, 0.0, -82.7485}}, 2.0425},
        {{{50.0, -1.0, 2.0}}, {{50.0, 0.0, 0.0}}, 2.3669},
        {{{50.0, 2.49, -0.001}}, {{50.0, -2.49, 0.0011}}, 7.2195},
        {{{50.0, 2.5, 0.0}}, {{73.0, 25.0, -18.0}}, 27.1492},
        {{{60.2574, -34.0099, 36.2677}}, {{60.4626, -34.1751, 39.4387}}, 1.2644},
        {{{22.7233, 20.0904, -46.6940}}, {{23.0331, 14.9730, -42.5619}}, 2.0373},
    };
    (void)state;
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++)
        assert_true(fabs(difference(pairs[i].p, pairs[i].q) - pairs[i].expected) < 1e-4);
}

static void check_apart(const char *css, const char *scheme) {
    triple colours[SERIES];
    char name[8];
    for (int c = 0; c < SERIES; c++) {
        snprintf(name, sizeof name, "c%d", c);
        colours[c] = colour_of(css, name);
    }
    for (size_t e = 0; e < EYES; e++)
        for (int c = 1; c < SERIES; c++)
            for (int other = 0; other < c; other++) {
                const double apart = difference(lab_of(multiply(eyes[e].matrix, colours[c])),
                                                lab_of(multiply(eyes[e].matrix, colours[other])));
                if (apart < APART)
                    fail_msg("%s, %s: c%d and c%d are %.1f apart, expected %.0f", scheme, eyes[e].name, other,
                             c, apart, APART);
            }
}

static double luminance(triple rgb) {
    return 0.2126729 * rgb.v[0] + 0.7151522 * rgb.v[1] + 0.0721750 * rgb.v[2];
}

static void check_contrast(const char *css, const char *scheme) {
    const double paper = luminance(colour_of(css, "paper"));
    char name[8];
    for (int c = 0; c < SERIES; c++) {
        snprintf(name, sizeof name, "c%d", c);
        const double own = luminance(colour_of(css, name));
        const double contrast = (fmax(own, paper) + 0.05) / (fmin(own, paper) + 0.05);
        if (contrast < CONTRAST)
            fail_msg("%s: c%d has a contrast of %.1f to the paper, expected %.1f", scheme, c, contrast,
                     CONTRAST);
    }
}

static void series_are_told_apart(void **state) {
    const char *dark = strstr(dt_embedded_chart_css, "prefers-color-scheme: dark");
    (void)state;
    assert_non_null(dark);
    check_apart(dt_embedded_chart_css, "light");
    check_apart(dark, "dark");
    check_contrast(dt_embedded_chart_css, "light");
    check_contrast(dark, "dark");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_difference_is_sharmas),
        cmocka_unit_test(series_are_told_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
