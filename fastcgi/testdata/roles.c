/* A FastCGI application on libfcgi that tells what it got, in all three roles. */
#include <stdlib.h>
#include <string.h>
#include <fcgiapp.h>

static void copy(FCGX_Stream *from, FCGX_Stream *to)
{
	char buf[10000];
	int n;

	while ((n = FCGX_GetStr(buf, sizeof buf, from)) > 0)
		FCGX_PutStr(buf, n, to);
}

int main(void)
{
	FCGX_Stream *in, *out, *err;
	FCGX_ParamArray env;

	while (FCGX_Accept(&in, &out, &err, &env) == 0) {
		const char *role = FCGX_GetParam("FCGI_ROLE", env), *query = FCGX_GetParam("QUERY_STRING", env);
		char **var;

		FCGX_FPrintF(out, "X-Role: %s\r\nVariable-USER: %s\r\n\r\n", role, "somebody");
		if (strcmp(query, "vars") == 0)
			for (var = env; *var; var++)
				FCGX_FPrintF(out, "%s\n", *var);
		if (strcmp(query, "stderr") == 0)
			FCGX_FPrintF(err, "to stderr");
		if (strcmp(role, "AUTHORIZER") == 0)
			continue;
		copy(in, out);
		if (strcmp(role, "FILTER") == 0 && FCGX_StartFilterData(in) == 0) {
			FCGX_FPrintF(out, "|");
			copy(in, out);
		}
		FCGX_SetExitStatus(atoi(query), out);
	}
	return 0;
}
