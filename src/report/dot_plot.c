#include "report/dot_plot.h"

#include <math.h>

#include "report/markup.h"
#include "report/svg.h"

/* Names stand above their bars, so that the picture is narrow enough for a phone. */
enum {
    WIDTH = 440,
    NAME_LEFT = 16,
    NAME_BYTES = 60,
    TITLE_BYTES = 46,
    PLOT_LEFT = 20,
    PLOT_WIDTH = 400,
    HEAD = 52, /* of a panel: title and the label of its mark */
    ROW = 42,
    NAME_BASE = 15, /* of a row: where its name is written */
    BAR = 26,       /* and where its bar lies */
    FOOT = 58,      /* numbers and name of the axis */
};

static int panel_height(const icl_dot_panel *panel)
{
    return HEAD + ROW * (int)panel->count + FOOT;
}

static icl_svg_axis axis_of(const icl_dot_panel *panel)
{
    double low = panel->dots[0].low, high = panel->dots[0].high;
    for (size_t i = 0; i < panel->count; i++) {
        const icl_dot *dot = &panel->dots[i];
        low = fmin(low, fmin(dot->low, dot->value));
        high = fmax(high, fmax(dot->high, dot->value));
        for (size_t p = 0; p < dot->part_count; p++) {
            low = fmin(low, dot->parts[p]);
            high = fmax(high, dot->parts[p]);
        }
    }
    if (panel->mark_label != NULL) {
        low = fmin(low, panel->mark);
        high = fmax(high, panel->mark);
    }
    return icl_svg_axis_over(low, high);
}

static double x_at(const icl_svg_axis *axis, double x)
{
    return PLOT_LEFT + PLOT_WIDTH * (x - axis->low) / (axis->high - axis->low);
}

static void append_axis(icl_text *out, const icl_svg_axis *axis, const char *label, int top,
                        int bottom)
{
    const int steps = (int)lround((axis->high - axis->low) / axis->step);
    for (int i = 0; i <= steps; i++) {
        const double x = axis->low + i * axis->step;
        icl_text_printf(out,
                        "<path class=\"grid\" d=\"M%.1f %dV%d\"/><text x=\"%.1f\" y=\"%d\" "
                        "text-anchor=\"middle\">%.4g</text>\n",
                        x_at(axis, x), top, bottom, x_at(axis, x), bottom + 18,
                        fabs(x) < axis->step / 2 ? 0.0 : x);
    }
    icl_text_printf(out, "<text x=\"%d\" y=\"%d\" text-anchor=\"middle\">",
                    PLOT_LEFT + PLOT_WIDTH / 2, bottom + 36);
    icl_markup_escape(out, label);
    icl_text_append_string(out, "</text>\n");
}

static void append_mark(icl_text *out, const icl_svg_axis *axis, const icl_dot_panel *panel,
                        int top, int bottom)
{
    const double x = x_at(axis, panel->mark);
    icl_text_printf(out,
                    "<path class=\"axis\" stroke-dasharray=\"4 4\" d=\"M%.1f %dV%d\"/>"
                    "<text x=\"%.1f\" y=\"%d\" font-size=\"11\" text-anchor=\"%s\">",
                    x, top, bottom, x, top - 4, x < PLOT_LEFT + PLOT_WIDTH / 2 ? "start" : "end");
    icl_markup_escape(out, panel->mark_label);
    icl_text_append_string(out, "</text>\n");
}

static void append_row(icl_text *out, const icl_svg_axis *axis, const icl_dot *dot, int top)
{
    const int y = top + BAR;
    icl_text_printf(out, "<text class=\"halo\" x=\"%d\" y=\"%d\">", NAME_LEFT, top + NAME_BASE);
    icl_svg_clip(out, dot->name, NAME_BYTES);
    icl_text_append_string(out, "</text>");
    for (size_t p = 0; p < dot->part_count; p++)
        icl_text_printf(out, "<circle class=\"axis\" fill=\"none\" cx=\"%.1f\" cy=\"%d\" r=\"2\"/>",
                        x_at(axis, dot->parts[p]), y + 7);
    icl_text_printf(out,
                    "<path class=\"line c0\" d=\"M%.1f %dH%.1f\"/><circle class=\"dot c0\" "
                    "cx=\"%.1f\" cy=\"%d\" r=\"5\"><title>%.4f, 95 %% interval %.4f to %.4f"
                    "</title></circle>\n",
                    x_at(axis, dot->low), y, x_at(axis, dot->high), x_at(axis, dot->value), y,
                    dot->value, dot->low, dot->high);
}

static void append_panel(icl_text *out, const icl_dot_panel *panel, int top)
{
    const icl_svg_axis axis = axis_of(panel);
    const int rows = top + HEAD, bottom = rows + ROW * (int)panel->count;
    icl_text_printf(out, "<text x=\"%d\" y=\"%d\" font-size=\"16\" font-weight=\"600\">", NAME_LEFT,
                    top + 24);
    icl_svg_clip(out, panel->title, TITLE_BYTES);
    icl_text_append_string(out, "</text>\n");
    append_axis(out, &axis, panel->x_label, rows, bottom);
    if (panel->mark_label != NULL) append_mark(out, &axis, panel, rows, bottom);
    for (size_t i = 0; i < panel->count; i++)
        append_row(out, &axis, &panel->dots[i], rows + ROW * (int)i);
}

icl_status icl_dot_plot_svg(icl_text *out, const char *title, const icl_dot_panel *panels,
                            size_t count)
{
    int height = 0, top = 0;
    for (size_t i = 0; i < count; i++) height += panel_height(&panels[i]);
    icl_svg_begin(out, WIDTH, height, title);
    for (size_t i = 0; i < count; i++) {
        append_panel(out, &panels[i], top);
        top += panel_height(&panels[i]);
    }
    icl_svg_end(out);
    return icl_text_status(out);
}
