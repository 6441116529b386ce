/* report/svg.h - what the pictures share: a frame in the colours that the reader's system wants,
 * light or dark, axes, and text that fits. Self-contained, no scripts. */
#ifndef ICL_REPORT_SVG_H
#define ICL_REPORT_SVG_H

#include "base/text.h"

/* Classes c0 to c5 colour a "line" or a "dot"; "axis" and "grid" are strokes; a text with a
 * "halo" stays readable on them. */
enum { ICL_SVG_COLOURS = 6 };

/* From `low` to `high` in steps of 1, 2 or 5 times a power of ten. */
typedef struct icl_svg_axis {
    double low, high, step;
} icl_svg_axis;

/* The shortest axis that holds both. */
icl_svg_axis icl_svg_axis_over(double low, double high);

/* Opens the picture with its title, which is not drawn, style and background. */
void icl_svg_begin(icl_text *out, int width, int height, const char *title);
void icl_svg_end(icl_text *out);

/* Text for the inside of an element, ended by "..." beyond so many bytes; the whole shows when
 * pointed at. */
void icl_svg_clip(icl_text *out, const char *text, size_t bytes_max);

#endif
