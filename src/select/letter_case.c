#include "select/letter_case.h"

enum { CASE_KEEP, CASE_LOWER };

const char *const icl_letter_cases[] = { [CASE_KEEP] = "keep", [CASE_LOWER] = "lower", NULL };

bool icl_letter_case_ignored(const icl_options *options)
{
    return icl_options_int(options, "case") == CASE_LOWER;
}
