/* select/letter_case.h - the option "case" of methods that compare words. */
#ifndef ICL_SELECT_LETTER_CASE_H
#define ICL_SELECT_LETTER_CASE_H

#include "base/card.h"

/* Whether words that differ only in case are the same. */
bool icl_letter_case_ignored(const icl_options *options);

extern const char *const icl_letter_cases[];

#define ICL_LETTER_CASE_OPTION(usual)                                                              \
    {                                                                                              \
        .name = "case", .type = ICL_OPTION_CHOICE, .fallback = usual, .choices = icl_letter_cases, \
        .help = "lower: words that differ only in case are the same"                               \
    }

#endif
