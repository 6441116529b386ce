/* What programs around the library share with it: names and files. */
#include <icl/sys/program.h>

#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/text.h"

size_t icl_program_nearest(const char *name, const char *const *names, size_t count)
{
    return icl_nearest_name(name, names, count);
}

icl_status icl_program_write_file(const char *path, const char *bytes, size_t length)
{
    return icl_file_write_atomic(path, bytes, length);
}

icl_status icl_program_create_folder(const char *path)
{
    return icl_folder_create(path);
}

icl_status icl_program_file_identity(char *out, const char *path)
{
    icl_hash128 hash;
    const icl_status status = icl_hash_file(&hash, path);
    if (status == ICL_OK) icl_hash_hex(out, hash);
    return status;
}
