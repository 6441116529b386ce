/* Names every newer part of llama.h that src/model/ relies on. */
#include <llama.h>

int main(void)
{
    struct llama_model_params model = llama_model_default_params();
    model.load_mode = LLAMA_LOAD_MODE_MMAP;
    struct llama_context_params context = llama_context_default_params();
    context.kv_unified = true;
    context.flash_attn_type = LLAMA_FLASH_ATTN_TYPE_DISABLED;
    const void *const needed[] = {
        (const void *)llama_set_adapters_lora,
        (const void *)llama_set_adapter_cvec,
        (const void *)llama_memory_seq_cp,
        (const void *)llama_get_embeddings_seq,
    };
    return needed[0] == 0 || context.kv_unified == 0;
}
