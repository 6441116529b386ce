#include "train/range.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/quote.h"

/* Digits alone: strtoull would also take blanks and signs. */
static bool read_number(size_t *out, const char **at)
{
    if (**at < '0' || **at > '9') return false;
    char *end = NULL;
    errno = 0;
    *out = strtoull(*at, &end, 10);
    *at = end;
    return errno == 0;
}

icl_status icl_range_parse(icl_range *out, const char *text, size_t minimum, size_t maximum)
{
    char shown[ICL_QUOTE_BYTES];
    icl_quote(shown, text, strlen(text));
    icl_range range = { 0 };
    const char *at = text;
    bool fits = read_number(&range.low, &at);
    range.high = range.low;
    if (fits && *at == '-') {
        at++;
        fits = read_number(&range.high, &at);
    }
    if (!fits || *at != '\0')
        return icl_error_set(ICL_EINVAL, "%s is not a whole number or a range such as 2-8", shown);
    if (range.low > range.high)
        return icl_error_set(ICL_EINVAL, "the range %s runs backwards", shown);
    if (range.low < minimum || range.high > maximum)
        return icl_error_set(ICL_EINVAL, "%s is not within %zu..%zu", shown, minimum, maximum);
    *out = range;
    return ICL_OK;
}

icl_status icl_range_read(icl_range *out, const icl_options *options, const char *name)
{
    const icl_card *card = options->card;
    size_t index = 0;
    while (index < card->option_count && strcmp(card->options[index].name, name) != 0) index++;
    assert(index < card->option_count);
    const icl_option *option = &card->options[index];
    const icl_status status = icl_range_parse(out, icl_options_text(options, name),
                                              (size_t)option->minimum, (size_t)option->maximum);
    return status == ICL_OK ? ICL_OK
                            : icl_error_prefix(status, "option %s of %s", name, card->name);
}

size_t icl_range_draw(icl_range range, icl_rng *rng)
{
    return range.low + icl_rng_below(rng, range.high - range.low + 1);
}
