#include "learn/gguf_draft.h"

#include <stdlib.h>

#include "base/error.h"

icl_status icl_gguf_draft_init(icl_gguf_draft *draft, size_t tensors_max)
{
    *draft = (icl_gguf_draft){ .head = gguf_init_empty() };
    draft->tensors = ggml_init((struct ggml_init_params){
        .mem_size = (tensors_max + 1) * ggml_tensor_overhead(), .no_alloc = true });
    if (draft->head != NULL && draft->tensors != NULL) return ICL_OK;
    icl_gguf_draft_deinit(draft);
    return icl_error_set(ICL_ENOMEM, "out of memory for a file of %zu tensors", tensors_max);
}

void icl_gguf_draft_deinit(icl_gguf_draft *draft)
{
    icl_file_abandon(&draft->file);
    gguf_free(draft->head);
    ggml_free(draft->tensors);
    *draft = (icl_gguf_draft){ 0 };
}

void icl_gguf_draft_add(icl_gguf_draft *draft, const char *name, const int64_t *shape, size_t rank,
                        enum ggml_type type)
{
    struct ggml_tensor *tensor = ggml_new_tensor(draft->tensors, type, (int)rank, shape);
    ggml_set_name(tensor, name);
    gguf_add_tensor(draft->head, tensor);
}

icl_status icl_gguf_draft_begin(icl_gguf_draft *draft, const char *path)
{
    const size_t bytes = gguf_get_meta_size(draft->head);
    void *head = malloc(bytes);
    if (head == NULL) return icl_error_set(ICL_ENOMEM, "out of memory while writing \"%s\"", path);
    gguf_get_meta_data(draft->head, head);
    const icl_status status = icl_file_draft_open(&draft->file, path);
    if (status == ICL_OK) icl_file_draft_write(&draft->file, head, bytes);
    free(head);
    return status;
}

void icl_gguf_draft_write(icl_gguf_draft *draft, const void *bytes, size_t length)
{
    static const char zeros[GGUF_DEFAULT_ALIGNMENT];
    const size_t alignment = GGUF_DEFAULT_ALIGNMENT, padded = GGML_PAD(length, alignment);
    icl_file_draft_write(&draft->file, bytes, length);
    icl_file_draft_write(&draft->file, zeros, padded - length);
}

icl_status icl_gguf_draft_commit(icl_gguf_draft *draft)
{
    return icl_file_commit(&draft->file);
}
