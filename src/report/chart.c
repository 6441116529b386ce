#include "report/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/array.h"
#include "base/error.h"

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
    COLOURS = 6,
};

/* Told apart by people with any colour vision (Wong 2011, "Color blindness"), darker for light
 * backgrounds and lighter for dark ones. */
static const char *const light[COLOURS] = { "#0072b2", "#b34700", "#00785a",
                                            "#a6407f", "#7a6200", "#333333" };
static const char *const dark[COLOURS] = { "#56b4e9", "#f5a04a", "#3ec9a0",
                                           "#e39ac4", "#f0e442", "#dddddd" };
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

/* From `low` to `high` in steps of 1, 2 or 5 times a power of ten. */
typedef struct axis {
    double low, high, step;
} axis;

static axis make_axis(double low, double high)
{
    enum { STEPS_WANTED = 6 };
    static const double factors[] = { 1, 2, 5, 10 };
    if (!(high > low)) high = low + 1;
    const double rough = (high - low) / STEPS_WANTED;
    const double power = pow(10, floor(log10(rough)));
    double step = power;
    for (size_t i = 0; i < sizeof factors / sizeof *factors && step < rough; i++)
        step = factors[i] * power;
    return (axis){ floor(low / step) * step, ceil(high / step) * step, step };
}

typedef struct frame {
    axis x, y;
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
    frame made = { make_axis(x_low, x_high), make_axis(y_low, y_high) };
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

static void append_escaped(icl_text *out, const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at == '<')
            icl_text_append_string(out, "&lt;");
        else if (*at == '>')
            icl_text_append_string(out, "&gt;");
        else if (*at == '&')
            icl_text_append_string(out, "&amp;");
        else
            icl_text_append_char(out, *at);
    }
}

static void append_colours(icl_text *out, const char *back, const char *ink, const char *soft,
                           const char *const lines[COLOURS])
{
    icl_text_printf(out, ".back{fill:%s}text{fill:%s}.axis{stroke:%s}.grid{stroke:%s}\n", back, ink,
                    ink, soft);
    for (size_t i = 0; i < COLOURS; i++)
        icl_text_printf(out, ".line.c%zu{stroke:%s}.dot.c%zu{fill:%s}", i, lines[i], i, lines[i]);
}

/* Colours are written out: not every viewer knows CSS variables, and one that does not paints all
 * black. */
static void append_style(icl_text *out)
{
    icl_text_append_string(out, "<style>\nsvg{font:13px system-ui,sans-serif}"
                                ".line{fill:none;stroke-width:2;stroke-linejoin:round}\n");
    append_colours(out, "#fff", "#222", "#d8d8d8", light);
    icl_text_append_string(out, "\n@media(prefers-color-scheme:dark){");
    append_colours(out, "#16181d", "#e6e6e6", "#3a3f47", dark);
    icl_text_append_string(out, "}\n</style>\n");
}

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
    append_escaped(out, chart->title);
    icl_text_printf(out, "</text>\n<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">", middle,
                    PLOT_TOP + PLOT_HEIGHT + 40);
    append_escaped(out, chart->x_label);
    icl_text_printf(out,
                    "</text>\n<text transform=\"translate(16 %d) rotate(-90)\" "
                    "text-anchor=\"middle\">",
                    centre);
    append_escaped(out, chart->y_label);
    icl_text_append_string(out, "</text>\n");
}

static void append_stroke(icl_text *out, size_t index)
{
    const size_t dash = index / COLOURS % (sizeof dashes / sizeof *dashes);
    icl_text_printf(out, " class=\"line c%zu\" stroke-dasharray=\"%s\"", index % COLOURS,
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
                        x_at(in, line->points[i].x), y_at(in, line->points[i].y), index % COLOURS,
                        line->points[i].x, line->points[i].y);
}

/* What fits beside a line; the whole name shows when pointed at. */
static void append_clipped(icl_text *out, const char *name)
{
    char shown[LEGEND_LETTERS + 4];
    size_t length = strlen(name);
    if (length > LEGEND_LETTERS) {
        length = LEGEND_LETTERS;
        while (((unsigned char)name[length] & 0xC0) == 0x80) length--;
    }
    memcpy(shown, name, length);
    strcpy(shown + length, name[length] != '\0' ? "..." : "");
    append_escaped(out, shown);
    icl_text_append_string(out, "<title>");
    append_escaped(out, name);
    icl_text_append_string(out, "</title>");
}

static void append_legend(icl_text *out, const icl_chart *chart)
{
    for (size_t i = 0; i < chart->count; i++) {
        const int y = LEGEND_TOP + (int)i * LEGEND_ROW;
        icl_text_append_string(out, "<path");
        append_stroke(out, i);
        icl_text_printf(out, " d=\"M%d %dh28\"/><text x=\"%d\" y=\"%d\">", PLOT_LEFT, y,
                        PLOT_LEFT + 36, y + 4);
        append_clipped(out, chart->lines[i].name);
        icl_text_append_string(out, "</text>\n");
    }
}

icl_status icl_chart_svg(icl_text *out, const icl_chart *chart)
{
    const frame in = make_frame(chart);
    const int height = LEGEND_TOP + (int)chart->count * LEGEND_ROW;
    icl_text_printf(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                    "height=\"%d\" role=\"img\">\n<title>",
                    WIDTH, height, WIDTH, height);
    append_escaped(out, chart->title);
    icl_text_append_string(out, "</title>\n");
    append_style(out);
    icl_text_printf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", WIDTH, height);
    append_grid(out, &in);
    append_labels(out, chart);
    for (size_t i = 0; i < chart->count; i++) append_line(out, &in, &chart->lines[i], i);
    append_legend(out, chart);
    icl_text_append_string(out, "</svg>\n");
    return icl_text_status(out);
}
