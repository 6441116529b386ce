#include "report/svg.h"

#include <math.h>

#include "report/markup.h"

/* Told apart by people with any colour vision (Wong 2011, "Color blindness"), darker for light
 * backgrounds and lighter for dark ones. */
static const char *const light[ICL_SVG_COLOURS] = { "#0072b2", "#b34700", "#00785a",
                                                    "#a6407f", "#7a6200", "#333333" };
static const char *const dark[ICL_SVG_COLOURS] = { "#56b4e9", "#f5a04a", "#3ec9a0",
                                                   "#e39ac4", "#f0e442", "#dddddd" };

icl_svg_axis icl_svg_axis_over(double low, double high)
{
    enum { STEPS_WANTED = 6 };
    static const double factors[] = { 1, 2, 5, 10 };
    if (!(high > low)) high = low + 1;
    const double rough = (high - low) / STEPS_WANTED;
    const double power = pow(10, floor(log10(rough)));
    double step = power;
    for (size_t i = 0; i < sizeof factors / sizeof *factors && step < rough; i++)
        step = factors[i] * power;
    return (icl_svg_axis){ floor(low / step) * step, ceil(high / step) * step, step };
}

static void append_colours(icl_text *out, const char *back, const char *ink, const char *soft,
                           const char *const lines[ICL_SVG_COLOURS])
{
    icl_text_printf(out,
                    ".back{fill:%s}.halo{stroke:%s}text{fill:%s}.axis{stroke:%s}.grid{stroke:%s}\n",
                    back, back, ink, ink, soft);
    for (size_t i = 0; i < ICL_SVG_COLOURS; i++)
        icl_text_printf(out, ".line.c%zu{stroke:%s}.dot.c%zu{fill:%s}", i, lines[i], i, lines[i]);
}

/* Colours are written out: not every viewer knows CSS variables, and one that does not paints all
 * black. */
static void append_style(icl_text *out)
{
    icl_text_append_string(out, "<style>\nsvg{font:13px system-ui,sans-serif}"
                                ".line{fill:none;stroke-width:2;stroke-linejoin:round}"
                                ".halo{stroke-width:5;stroke-linejoin:round;paint-order:stroke}"
                                "\n");
    append_colours(out, "#fff", "#222", "#d8d8d8", light);
    icl_text_append_string(out, "\n@media(prefers-color-scheme:dark){");
    append_colours(out, "#16181d", "#e6e6e6", "#3a3f47", dark);
    icl_text_append_string(out, "}\n</style>\n");
}

void icl_svg_begin(icl_text *out, int width, int height, const char *title)
{
    icl_text_printf(out,
                    "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %d %d\" width=\"%d\" "
                    "height=\"%d\" role=\"img\">\n<title>",
                    width, height, width, height);
    icl_markup_escape(out, title);
    icl_text_append_string(out, "</title>\n");
    append_style(out);
    icl_text_printf(out, "<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", width, height);
}

void icl_svg_end(icl_text *out)
{
    icl_text_append_string(out, "</svg>\n");
}

void icl_svg_clip(icl_text *out, const char *text, size_t bytes_max)
{
    icl_markup_escape_start(out, text, bytes_max);
    icl_text_append_string(out, "<title>");
    icl_markup_escape(out, text);
    icl_text_append_string(out, "</title>");
}
