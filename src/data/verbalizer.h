/* data/verbalizer.h - building a verbalizer word by word; the rest is in icl/task.h. */
#ifndef ICL_DATA_VERBALIZER_H
#define ICL_DATA_VERBALIZER_H

#include <icl/task.h>

/* Without labels. */
icl_status icl_verbalizer_new(icl_verbalizer **out);

/* One more name for a label, which is added when it is new. ICL_EPARSE, without a place: an empty
 * label, blank words, words that some label has already. */
icl_status icl_verbalizer_add(icl_verbalizer *verbalizer, const char *label, const char *words);

#endif
