/* data/label_space.h - growing a label space while data is read; the rest is in icl/dataset.h. */
#ifndef ICL_DATA_LABEL_SPACE_H
#define ICL_DATA_LABEL_SPACE_H

#include <icl/dataset.h>

/* Index of `name`, which is added at the end when it is new. ICL_ENOMEM. */
icl_status icl_label_space_add(icl_label_space *labels, const char *name, size_t *out_index);
icl_status icl_label_space_copy(icl_label_space **out, const icl_label_space *labels);

#endif
