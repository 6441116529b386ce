/* status_names - prints every status code with its name: the smallest program that uses libicl.
 *
 *   cc status_names.c $(pkg-config --cflags --libs icl) && ./a.out
 */
#include <stdio.h>

#include <icl/status.h>

int main(void)
{
    for (int code = ICL_OK; code >= ICL_ECANCELLED; code--)
        printf("%4d  %s\n", code, icl_status_name((icl_status)code));
    return 0;
}
