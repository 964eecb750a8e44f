/* Lines of an export cut into columns, compiled: what `cut` in influxdb1_lines.py does in Python where this was not
   built. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#define DIGITS 19 /* of the nanoseconds of every time from 2001 to 2286 */
#define LATEST 9223372036854775806ULL

typedef struct {
    long long *times;
    Py_ssize_t lines, room;
    PyObject *first, *values; /* the value of all, as long as there are no `values` */
    PyObject *last;           /* borrowed */
} Columns;

/* The time that a line ends with, or -1. */
static long long time_of(const char *digits)
{
    unsigned long long time = 0;
    if (digits[-1] != ' ')
        return -1;
    for (int i = 0; i < DIGITS; i++) {
        unsigned digit = (unsigned)(unsigned char)digits[i] - '0';
        if (digit > 9)
            return -1;
        time = time * 10 + digit;
    }
    return time > LATEST ? -1 : (long long)time;
}

/* Whether a value is there, and whole where it is a text: the quote at its end is not part of it. */
static int is_plain(const char *value, Py_ssize_t size)
{
    if (size <= 0 || memchr(value, '\0', (size_t)size) != NULL)
        return 0;
    if (value[0] == '"') {
        Py_ssize_t backslashes = 0;
        if (size < 2 || value[size - 1] != '"')
            return 0;
        while (backslashes < size - 2 && value[size - 2 - backslashes] == '\\')
            backslashes++;
        return backslashes % 2 == 0;
    }
    return 1;
}

static int is_value(PyObject *one, const char *value, Py_ssize_t size)
{
    return PyBytes_GET_SIZE(one) == size && memcmp(PyBytes_AS_STRING(one), value, (size_t)size) == 0;
}

static int append(Columns *found, long long time, const char *value, Py_ssize_t size)
{
    if (found->lines == found->room) {
        Py_ssize_t room = found->room == 0 ? 1024 : 2 * found->room;
        long long *larger = PyMem_Realloc(found->times, (size_t)room * sizeof(long long));
        if (larger == NULL) {
            PyErr_NoMemory();
            return -1;
        }
        found->times = larger;
        found->room = room;
    }
    if (found->lines == 0) {
        if ((found->first = PyBytes_FromStringAndSize(value, size)) == NULL)
            return -1;
        found->last = found->first;
    } else {
        int same = is_value(found->last, value, size);
        if (!same && found->values == NULL) {
            if ((found->values = PyList_New(0)) == NULL)
                return -1;
            for (Py_ssize_t i = 0; i < found->lines; i++)
                if (PyList_Append(found->values, found->first) < 0)
                    return -1;
        }
        if (found->values != NULL) {
            PyObject *one = same ? Py_NewRef(found->last) : PyBytes_FromStringAndSize(value, size);
            int failed = one == NULL || PyList_Append(found->values, one) < 0;
            found->last = one;
            Py_XDECREF(one);
            if (failed)
                return -1;
        }
    }
    found->times[found->lines++] = time;
    return 0;
}

/* cut(block, prefix, at) -> (end, packed times, values) */
static PyObject *cut(PyObject *module, PyObject *const *arguments, Py_ssize_t given)
{
    Columns found = {NULL, 0, 0, NULL, NULL, NULL};
    PyObject *result = NULL, *times, *values;
    const char *begin, *line, *end, *prefix;
    Py_ssize_t at, length;
    long long last = -1;
    if (given != 3 || !PyBytes_Check(arguments[0]) || !PyBytes_Check(arguments[1])) {
        PyErr_SetString(PyExc_TypeError, "cut(block, prefix, at)");
        return NULL;
    }
    begin = PyBytes_AS_STRING(arguments[0]);
    end = begin + PyBytes_GET_SIZE(arguments[0]);
    prefix = PyBytes_AS_STRING(arguments[1]);
    length = PyBytes_GET_SIZE(arguments[1]);
    at = PyLong_AsSsize_t(arguments[2]);
    if (at == -1 && PyErr_Occurred())
        return NULL;
    if (at < 0 || at > end - begin) {
        PyErr_SetString(PyExc_ValueError, "no place in the block");
        return NULL;
    }
    line = begin + at;
    while (end - line > length && memcmp(line, prefix, (size_t)length) == 0) {
        const char *value = line + length, *stop = memchr(value, '\n', (size_t)(end - value));
        Py_ssize_t size;
        long long time;
        if (stop == NULL || (size = stop - value - DIGITS - 1) <= 0)
            break;
        time = time_of(stop - DIGITS);
        if (time < last || time < 0 || !is_plain(value, size))
            break;
        if (append(&found, time, value, size) < 0)
            goto done;
        last = time;
        line = stop + 1;
    }
    times = PyBytes_FromStringAndSize((const char *)found.times, found.lines * (Py_ssize_t)sizeof(long long));
    if (times == NULL)
        goto done;
    values = found.values != NULL ? Py_NewRef(found.values) : PyList_New(found.first != NULL);
    if (values == NULL) {
        Py_DECREF(times);
        goto done;
    }
    if (found.values == NULL && found.first != NULL)
        PyList_SET_ITEM(values, 0, Py_NewRef(found.first));
    result = Py_BuildValue("nNN", (Py_ssize_t)(line - begin), times, values);
done:
    PyMem_Free(found.times);
    Py_XDECREF(found.first);
    Py_XDECREF(found.values);
    return result;
}

static PyMethodDef methods[] = {
    {"cut", (PyCFunction)(void (*)(void))cut, METH_FASTCALL,
     "cut(block, prefix, at) -> (end, times, values)\n\n"
     "The plain lines of a block at `at` that begin with `prefix`: where they end, their times packed as 64-bit integers,\n"
     "and their values; one where it is the same for all."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "operations.imports._lines",
    .m_doc = "Lines of an export cut into columns, compiled.",
    .m_size = -1,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__lines(void)
{
    return PyModule_Create(&module);
}
