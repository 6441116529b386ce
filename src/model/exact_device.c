/* The exact kernels as a device of ggml: an accelerator beside the CPU that takes the operations
 * whose stock kernels let a token's bits depend on its neighbours. */
#include "model/exact_device.h"

#ifndef ICL_HAVE_GGML_INTERNAL

bool icl_exact_device_register(void)
{
    return false;
}

void icl_exact_device_set_threads(int thread_count)
{
    (void)thread_count;
}

#else

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <ggml-backend-impl.h>

#include "model/exact_kernels.h"

static atomic_int default_threads = 1;

/* Whether every use of the cast within the graph is an attention of ours. */
static bool is_read_past(struct ggml_cgraph *graph, int cast_index)
{
    const struct ggml_tensor *cast = ggml_graph_node(graph, cast_index);
    bool attended = false;
    for (int i = cast_index + 1; i < ggml_graph_n_nodes(graph) && !attended; i++) {
        const struct ggml_tensor *node = ggml_graph_node(graph, i);
        attended =
            node->op == GGML_OP_FLASH_ATTN_EXT && (node->src[1] == cast || node->src[2] == cast);
    }
    return attended;
}

static void compute_cast(const struct ggml_tensor *dst)
{
    const struct ggml_tensor *from = dst->src[0];
    for (int64_t i3 = 0; i3 < from->ne[3]; i3++)
        for (int64_t i2 = 0; i2 < from->ne[2]; i2++)
            for (int64_t i1 = 0; i1 < from->ne[1]; i1++)
                ggml_fp32_to_fp16_row(
                    (const float *)((const char *)from->data + (size_t)i1 * from->nb[1] +
                                    (size_t)i2 * from->nb[2] + (size_t)i3 * from->nb[3]),
                    (ggml_fp16_t *)((char *)dst->data + (size_t)i1 * dst->nb[1] +
                                    (size_t)i2 * dst->nb[2] + (size_t)i3 * dst->nb[3]),
                    from->ne[0]);
}

static const char *backend_name(ggml_backend_t backend)
{
    (void)backend;
    return "ICL";
}

static void backend_free(ggml_backend_t backend)
{
    icl_worker_pool_free(backend->context);
    free(backend);
}

static enum ggml_status backend_compute(ggml_backend_t backend, struct ggml_cgraph *graph)
{
    for (int i = 0; i < ggml_graph_n_nodes(graph); i++) {
        struct ggml_tensor *node = ggml_graph_node(graph, i);
        if (node->op == GGML_OP_CPY && !is_read_past(graph, i)) compute_cast(node);
        bool done = true; /* views and the like need nothing */
        if (node->op == GGML_OP_FLASH_ATTN_EXT)
            done = icl_exact_attention_run(backend->context, node);
        if (node->op == GGML_OP_MUL_MAT) done = icl_exact_matmul_run(backend->context, node);
        if (!done) return GGML_STATUS_ALLOC_FAILED;
    }
    return GGML_STATUS_SUCCESS;
}

static ggml_guid_t backend_guid(void)
{
    static ggml_guid guid = { 0x69, 0x63, 0x6c, 0x2d, 0x65, 0x78, 0x61, 0x63,
                              0x74, 0x2d, 0x61, 0x74, 0x74, 0x6e, 0x30, 0x31 };
    return &guid;
}

static const char *device_name(ggml_backend_dev_t device)
{
    (void)device;
    return "ICL";
}

static const char *device_description(ggml_backend_dev_t device)
{
    (void)device;
    return "exact attention and matrix products";
}

static void device_memory(ggml_backend_dev_t device, size_t *free_bytes, size_t *total_bytes)
{
    (void)device;
    *free_bytes = 0;
    *total_bytes = 0;
}

static enum ggml_backend_dev_type device_type(ggml_backend_dev_t device)
{
    (void)device;
    return GGML_BACKEND_DEVICE_TYPE_ACCEL;
}

static void device_props(ggml_backend_dev_t device, struct ggml_backend_dev_props *props)
{
    memset(props, 0, sizeof *props);
    props->name = device_name(device);
    props->description = device_description(device);
    props->type = device_type(device);
    props->caps.buffer_from_host_ptr = false;
}

static ggml_backend_t device_init(ggml_backend_dev_t device, const char *params)
{
    (void)params;
    ggml_backend_t backend = calloc(1, sizeof *backend);
    icl_worker_pool *pool = icl_worker_pool_new(atomic_load(&default_threads));
    if (backend == NULL || pool == NULL) {
        free(backend);
        icl_worker_pool_free(pool);
        return NULL;
    }
    backend->guid = backend_guid();
    backend->iface = (struct ggml_backend_i){ .get_name = backend_name,
                                              .free = backend_free,
                                              .graph_compute = backend_compute };
    backend->device = device;
    backend->context = pool;
    return backend;
}

static ggml_backend_buffer_type_t device_buffer_type(ggml_backend_dev_t device)
{
    (void)device;
    return ggml_backend_cpu_buffer_type();
}

static bool device_supports_op(ggml_backend_dev_t device, const struct ggml_tensor *op)
{
    (void)device;
    switch (op->op) {
    case GGML_OP_NONE:
    case GGML_OP_RESHAPE:
    case GGML_OP_VIEW:
    case GGML_OP_PERMUTE:
    case GGML_OP_TRANSPOSE:
        return true;
    case GGML_OP_CPY:
        return icl_exact_is_cache_cast(op) && op->src[0]->nb[0] == sizeof(float) &&
               op->nb[0] == sizeof(ggml_fp16_t);
    case GGML_OP_FLASH_ATTN_EXT:
        return icl_exact_attention_supports(op);
    case GGML_OP_MUL_MAT:
        return icl_exact_matmul_supports(op);
    default:
        return false;
    }
}

static bool device_supports_buffer_type(ggml_backend_dev_t device, ggml_backend_buffer_type_t type)
{
    (void)device;
    return ggml_backend_buft_is_host(type);
}

static const char *registry_name(ggml_backend_reg_t registry)
{
    (void)registry;
    return "ICL";
}

static size_t registry_device_count(ggml_backend_reg_t registry)
{
    (void)registry;
    return 1;
}

static ggml_backend_dev_t registry_device(ggml_backend_reg_t registry, size_t index)
{
    (void)index;
    static struct ggml_backend_device device = {
        .iface = { .get_name = device_name,
                   .get_description = device_description,
                   .get_memory = device_memory,
                   .get_type = device_type,
                   .get_props = device_props,
                   .init_backend = device_init,
                   .get_buffer_type = device_buffer_type,
                   .supports_op = device_supports_op,
                   .supports_buft = device_supports_buffer_type },
    };
    device.reg = registry;
    return &device;
}

static void *registry_no_procedures(ggml_backend_reg_t registry, const char *name)
{
    (void)registry;
    (void)name;
    return NULL;
}

static void register_once(void)
{
    static struct ggml_backend_reg registry = {
        .api_version = GGML_BACKEND_API_VERSION,
        .iface = { .get_name = registry_name,
                   .get_device_count = registry_device_count,
                   .get_device = registry_device,
                   .get_proc_address = registry_no_procedures },
    };
    ggml_backend_register(&registry);
}

bool icl_exact_device_register(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, register_once);
    return true;
}

void icl_exact_device_set_threads(int thread_count)
{
    atomic_store(&default_threads, thread_count < 1 ? 1 : thread_count);
}

#endif
