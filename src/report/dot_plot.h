/* report/dot_plot.h - a row for each thing compared: a dot at its value, a bar over its interval;
 * panels below each other, as SVG.
 *
 *   const icl_dot dots[] = { { .name = "knn", .value = 0.9, .low = 0.87, .high = 0.93 } };
 *   const icl_dot_panel panel = { .title = "snips", .x_label = "accuracy", .dots = dots, .count = 1
 * }; status = icl_dot_plot_svg(&text, "Strategies compared", &panel, 1);
 */
#ifndef ICL_REPORT_DOT_PLOT_H
#define ICL_REPORT_DOT_PLOT_H

#include <stddef.h>

#include <icl/status.h>

#include "base/text.h"

typedef struct icl_dot {
    const char *name;
    double value, low, high; /* finite */
    const double *parts;     /* [part_count] what the value is the mean of: small rings */
    size_t part_count;
} icl_dot;

typedef struct icl_dot_panel {
    const char *title, *x_label;
    const icl_dot *dots; /* [count], from the top */
    size_t count;
    const char *mark_label; /* of a line across all rows; NULL: none */
    double mark;
} icl_dot_panel;

/* Appends the picture. ICL_ENOMEM. */
icl_status icl_dot_plot_svg(icl_text *out, const char *title, const icl_dot_panel *panels,
                            size_t count);

#endif
