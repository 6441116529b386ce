#include "report/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"
#include "report/markup.h"
#include "report/svg.h"

enum {
    WIDTH = 760,
    PLOT_LEFT = 64,
    PLOT_TOP = 44,
    PLOT_WIDTH = 668,
    PLOT_HEIGHT = 300,
    LEGEND_TOP = PLOT_TOP + PLOT_HEIGHT + 60,
    LEGEND_ROW = 20,
    LEGEND_LETTERS = 96,
    MARKED_POINTS_MAX = 40, /* more of them would hide the line */
};

/* Lines beyond the colours differ by their dashes. */
static const char *const dashes[] = { "none", "7 4", "2 4" };

/* --- data --- */

static icl_status find_line(icl_chart_line **out, icl_chart *chart, const char *name)
{
    for (size_t i = 0; i < chart->count; i++)
        if (strcmp(chart->lines[i].name, name) == 0) {
            *out = &chart->lines[i];
            return ICL_OK;
        }
    ICL_TRY(icl_array_reserve(&chart->lines, &chart->capacity, chart->count + 1));
    char *copy = icl_string_copy(name, strlen(name));
    if (copy == NULL) return icl_error_set(ICL_ENOMEM, "out of memory for a chart");
    chart->lines[chart->count] = (icl_chart_line){ .name = copy };
    *out = &chart->lines[chart->count++];
    return ICL_OK;
}

icl_status icl_chart_add(icl_chart *chart, const char *line, double x, double y)
{
    icl_chart_line *found = NULL;
    if (!isfinite(x) || !isfinite(y)) return ICL_OK;
    ICL_TRY(find_line(&found, chart, line));
    ICL_TRY(icl_array_reserve(&found->points, &found->capacity, found->count + 1));
    found->points[found->count++] = (icl_chart_point){ x, y };
    return ICL_OK;
}

void icl_chart_deinit(icl_chart *chart)
{
    for (size_t i = 0; i < chart->count; i++) {
        free(chart->lines[i].name);
        free(chart->lines[i].points);
    }
    free(chart->lines);
    *chart = (icl_chart){ 0 };
}

/* --- axes --- */

typedef struct frame {
    icl_svg_axis x, y;
} frame;

static frame make_frame(const icl_chart *chart)
{
    double x_low = 0, x_high = 1, y_low = 0, y_high = 0;
    for (size_t i = 0; i < chart->count; i++)
        for (size_t p = 0; p < chart->lines[i].count; p++) {
            const icl_chart_point point = chart->lines[i].points[p];
            x_low = fmin(x_low, point.x);
            x_high = fmax(x_high, point.x);
            y_low = fmin(y_low, point.y);
            y_high = fmax(y_high, point.y);
        }
    frame made = { icl_svg_axis_over(x_low, x_high), icl_svg_axis_over(y_low, y_high) };
    made.x.high = x_high; /* steps end where they end */
    return made;
}

static double x_at(const frame *in, double x)
{
    return PLOT_LEFT + PLOT_WIDTH * (x - in->x.low) / (in->x.high - in->x.low);
}

static double y_at(const frame *in, double y)
{
    return PLOT_TOP + PLOT_HEIGHT * (1 - (y - in->y.low) / (in->y.high - in->y.low));
}

/* --- drawing --- */

static void append_grid(icl_text *out, const frame *in)
{
    const double right = PLOT_LEFT + PLOT_WIDTH, bottom = PLOT_TOP + PLOT_HEIGHT;
    for (double y = in->y.low; y < in->y.high + in->y.step / 2; y += in->y.step) {
        const double at = y_at(in, y);
        icl_text_printf(out, "<path class=\"grid\" d=\"M%d %.1fH%.0f\"/>", PLOT_LEFT, at, right);
        icl_text_printf(out, "<text x=\"%d\" y=\"%.1f\" text-anchor=\"end\">%.4g</text>\n",
                        PLOT_LEFT - 8, at + 4, fabs(y) < in->y.step / 2 ? 0.0 : y);
    }
    for (double x = in->x.low; x < in->x.high + in->x.step / 100; x += in->x.step)
        icl_text_printf(out,
                        "<path class=\"axis\" d=\"M%.1f %.0fv5\"/><text x=\"%.1f\" y=\"%.0f\" "
                        "text-anchor=\"middle\">%.6g</text>\n",
                        x_at(in, x), bottom, x_at(in, x), bottom + 20, x);
    icl_text_printf(out, "<path class=\"axis\" fill=\"none\" d=\"M%d %dV%.0fH%.0f\"/>\n", PLOT_LEFT,
                    PLOT_TOP, bottom, right);
}

static void append_labels(icl_text *out, const icl_chart *chart)
{
    const int middle = PLOT_LEFT + PLOT_WIDTH / 2, centre = PLOT_TOP + PLOT_HEIGHT / 2;
    icl_text_printf(out, "<text x=\"%d\" y=\"24\" font-size=\"16\" font-weight=\"600\">",
                    PLOT_LEFT);
    icl_markup_escape(out, chart->title);
    icl_text_printf(out, "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", middle,
                    PLOT_TOP + PLOT_HEIGHT + 40);
    icl_markup_escape(out, chart->x_label);
    icl_text_printf(out,
                    "</text>\n<text transform=\"translate(16 %d) rotate(-90)\" "
                    "text-anchor=\"middle\">",
                    centre);
    icl_markup_escape(out, chart->y_label);
    icl_text_append_string(out, "</text>\n");
}

static void append_stroke(icl_text *out, size_t index)
{
    const size_t dash = index / ICL_SVG_COLOURS % (sizeof dashes / sizeof *dashes);
    icl_text_printf(out, " class=\"line c%zu\" stroke-dasharray=\"%s\"", index % ICL_SVG_COLOURS,
                    dashes[dash]);
}

static void append_line(icl_text *out, const frame *in, const icl_chart_line *line, size_t index)
{
    icl_text_append_string(out, "<path");
    append_stroke(out, index);
    icl_text_append_string(out, " d=\"");
    for (size_t i = 0; i < line->count; i++)
        icl_text_printf(out, "%s%.1f %.1f", i == 0 ? "M" : "L", x_at(in, line->points[i].x),
                        y_at(in, line->points[i].y));
    icl_text_append_string(out, "\"/>\n");
    for (size_t i = 0; line->count <= MARKED_POINTS_MAX && i < line->count; i++)
        icl_text_printf(out,
                        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3\" class=\"dot c%zu\">"
                        "<title>%.6g: %.4g</title></circle>\n",
                        x_at(in, line->points[i].x), y_at(in, line->points[i].y),
                        index % ICL_SVG_COLOURS, line->points[i].x, line->points[i].y);
}

static void append_legend(icl_text *out, const icl_chart *chart)
{
    for (size_t i = 0; i < chart->count; i++) {
        const int y = LEGEND_TOP + (int)i * LEGEND_ROW;
        icl_text_append_string(out, "<path");
        append_stroke(out, i);
        icl_text_printf(out, " d=\"M%d %dh28\"/><text x=\"%d\" y=\"%d\">", PLOT_LEFT, y,
                        PLOT_LEFT + 36, y + 4);
        icl_svg_clip(out, chart->lines[i].name, LEGEND_LETTERS);
        icl_text_append_string(out, "</text>\n");
    }
}

icl_status icl_chart_svg(icl_text *out, const icl_chart *chart)
{
    const frame in = make_frame(chart);
    const int height = LEGEND_TOP + (int)chart->count * LEGEND_ROW;
    icl_svg_begin(out, WIDTH, height, chart->title);
    append_grid(out, &in);
    append_labels(out, chart);
    for (size_t i = 0; i < chart->count; i++) append_line(out, &in, &chart->lines[i], i);
    append_legend(out, chart);
    icl_svg_end(out);
    return icl_text_status(out);
}
