/* learn/gguf_draft.h - a GGUF file in the making, written tensor by tensor, seen when it is whole.
 *
 *   icl_gguf_draft draft = { 0 };
 *   status = icl_gguf_draft_init(&draft, tensor_count);
 *   gguf_set_val_u32(draft.head, "answer", 42);
 *   icl_gguf_draft_add(&draft, "weight", (int64_t[]){ 4, 2 }, 2, GGML_TYPE_F32);
 *   status = icl_gguf_draft_begin(&draft, path);
 *   icl_gguf_draft_write(&draft, numbers, sizeof numbers);   (once a tensor, in their order)
 *   status = icl_gguf_draft_commit(&draft);
 *   icl_gguf_draft_deinit(&draft);
 */
#ifndef ICL_LEARN_GGUF_DRAFT_H
#define ICL_LEARN_GGUF_DRAFT_H

#include <ggml.h>
#include <gguf.h>

#include <icl/status.h>

#include "base/file.h"

typedef struct icl_gguf_draft {
    struct gguf_context *head;    /* set values here before icl_gguf_draft_begin */
    struct ggml_context *tensors; /* their descriptions, no data */
    icl_file_draft file;
} icl_gguf_draft;

icl_status icl_gguf_draft_init(icl_gguf_draft *draft, size_t tensors_max);
/* What was not committed never was. */
void icl_gguf_draft_deinit(icl_gguf_draft *draft);

void icl_gguf_draft_add(icl_gguf_draft *draft, const char *name, const int64_t *shape, size_t rank,
                        enum ggml_type type);
/* Opens the file and writes its head. */
icl_status icl_gguf_draft_begin(icl_gguf_draft *draft, const char *path);
/* All data of the next tensor; failures are left to the commit. */
void icl_gguf_draft_write(icl_gguf_draft *draft, const void *bytes, size_t length);
icl_status icl_gguf_draft_commit(icl_gguf_draft *draft);

#endif
