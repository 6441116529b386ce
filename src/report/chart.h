/* report/chart.h - a line chart as SVG: self-contained, light and dark as the reader's system wants
 * it, with axes, their labels and a legend.
 *
 *   icl_chart chart = { .title = "Losses", .x_label = "step", .y_label = "nats" };
 *   status = icl_chart_add(&chart, "repeats", 100, 4.16);
 *   status = icl_chart_svg(&text, &chart);
 *   icl_chart_deinit(&chart);
 */
#ifndef ICL_REPORT_CHART_H
#define ICL_REPORT_CHART_H

#include <stddef.h>

#include <icl/status.h>

#include "base/text.h"

typedef struct icl_chart_point {
    double x, y;
} icl_chart_point;

typedef struct icl_chart_line {
    char *name;
    icl_chart_point *points; /* in ascending x */
    size_t count, capacity;
} icl_chart_line;

typedef struct icl_chart {
    const char *title, *x_label, *y_label;
    icl_chart_line *lines;
    size_t count, capacity;
} icl_chart;

/* Adds a point to the line of that name, a new one when there is none. What is not finite is left
 * out. ICL_ENOMEM. */
icl_status icl_chart_add(icl_chart *chart, const char *line, double x, double y);
void icl_chart_deinit(icl_chart *chart);
/* Appends the picture. */
icl_status icl_chart_svg(icl_text *out, const icl_chart *chart);

#endif
