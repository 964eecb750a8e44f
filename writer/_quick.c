/* The encoder's quick way, compiled: the same lines as the generated Python function in encoder.py, which does the
   work where this was not built. Whatever is odd in any way goes to the same Python functions. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <math.h>
#include <structmember.h>

#define MOST_KEYS 32
#define MOST_FIELDS 64
#define LONGEST_NUMBER 26 /* of a float's repr, an integer with its "i", a time between a space and a line break */
#define LONGEST_STRING 1048576
#define REMEMBERED 512 /* floats per field, a power of 2 */
#define EXACT_IN_DOUBLE 9007199254740992LL

enum kind { FLOAT, INTEGER, STRING, BOOLEAN };

/* A float's text by its bits: finding the shortest text is the most expensive step, and a home's values repeat. */
typedef struct {
    uint64_t bits;
    unsigned char length;
    char text[LONGEST_NUMBER];
} Known;

typedef struct {
    Py_ssize_t offset;
    enum kind kind;
    double low, high;
    PyObject *lead; /* b",name=" */
    Known *known;
} Field;

typedef struct {
    PyObject_HEAD
    PyTypeObject *type;
    Py_ssize_t time, attributes, keys, fields;
    Py_ssize_t key[MOST_KEYS];
    Field field[MOST_FIELDS];
    long long earliest, latest;
    PyObject *prefixes, *new_prefix, *attribute_texts, *otherwise, *wants_care;
    char *line; /* what is being written: the last line's end is at `length` */
    size_t length, room;
} Quick;

static Py_ssize_t slot_offset(PyTypeObject *type, PyObject *name)
{
    PyObject *descriptor = PyObject_GetAttr((PyObject *)type, name);
    Py_ssize_t offset = -1;
    if (descriptor == NULL)
        return -1;
    if (Py_IS_TYPE(descriptor, &PyMemberDescr_Type)) {
        PyMemberDef *member = ((PyMemberDescrObject *)descriptor)->d_member;
        if (member->type == T_OBJECT_EX)
            offset = member->offset;
    }
    if (offset < 0)
        PyErr_Format(PyExc_TypeError, "%R is not a slot of %R", name, (PyObject *)type);
    Py_DECREF(descriptor);
    return offset;
}

static PyObject *slot(PyObject *event, Py_ssize_t offset)
{
    return *(PyObject **)((char *)event + offset);
}

static int quick_traverse(Quick *self, visitproc visit, void *arg)
{
    Py_VISIT(self->type);
    Py_VISIT(self->prefixes);
    Py_VISIT(self->new_prefix);
    Py_VISIT(self->attribute_texts);
    Py_VISIT(self->otherwise);
    Py_VISIT(self->wants_care);
    return 0;
}

static int quick_clear(Quick *self)
{
    Py_CLEAR(self->type);
    Py_CLEAR(self->prefixes);
    Py_CLEAR(self->new_prefix);
    Py_CLEAR(self->attribute_texts);
    Py_CLEAR(self->otherwise);
    Py_CLEAR(self->wants_care);
    return 0;
}

static void quick_dealloc(Quick *self)
{
    PyObject_GC_UnTrack(self);
    quick_clear(self);
    for (Py_ssize_t i = 0; i < self->fields; i++) {
        Py_CLEAR(self->field[i].lead);
        PyMem_Free(self->field[i].known);
    }
    PyMem_Free(self->line);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

/* Quick(type, key names, fields: (name, kind, lowest, highest, b",name=")..., prefixes, new_prefix, attribute_texts, otherwise,
   wants_care, earliest, latest) */
static int quick_init(Quick *self, PyObject *arguments, PyObject *keywords)
{
    PyObject *type, *keys, *fields, *prefixes, *new_prefix, *attribute_texts, *otherwise, *wants_care, *name;
    if (keywords != NULL && PyDict_GET_SIZE(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Quick takes no keyword arguments");
        return -1;
    }
    if (self->type != NULL) {
        PyErr_SetString(PyExc_TypeError, "a Quick is made once");
        return -1;
    }
    if (!PyArg_ParseTuple(arguments, "O!O!O!O!OOOOLL", &PyType_Type, &type, &PyTuple_Type, &keys, &PyTuple_Type, &fields,
                          &PyDict_Type, &prefixes, &new_prefix, &attribute_texts, &otherwise, &wants_care,
                          &self->earliest, &self->latest))
        return -1;
    if (PyTuple_GET_SIZE(keys) > MOST_KEYS || PyTuple_GET_SIZE(fields) > MOST_FIELDS) {
        PyErr_SetString(PyExc_ValueError, "too many tags or fields");
        return -1;
    }
    if ((name = PyUnicode_FromString("time_ns")) == NULL)
        return -1;
    self->time = slot_offset((PyTypeObject *)type, name);
    Py_DECREF(name);
    if (self->time < 0 || (name = PyUnicode_FromString("attributes")) == NULL)
        return -1;
    self->attributes = slot_offset((PyTypeObject *)type, name);
    Py_DECREF(name);
    if (self->attributes < 0)
        return -1;
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(keys); i++) {
        if ((self->key[i] = slot_offset((PyTypeObject *)type, PyTuple_GET_ITEM(keys, i))) < 0)
            return -1;
        self->keys = i + 1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(fields); i++) {
        Field *field = &self->field[i];
        int kind;
        PyObject *lead;
        if (!PyArg_ParseTuple(PyTuple_GET_ITEM(fields, i), "OiddO!", &name, &kind, &field->low, &field->high,
                              &PyBytes_Type, &lead))
            return -1;
        if ((field->offset = slot_offset((PyTypeObject *)type, name)) < 0)
            return -1;
        field->kind = (enum kind)kind;
        field->lead = Py_NewRef(lead);
        if (field->kind == FLOAT && (field->known = PyMem_Calloc(REMEMBERED, sizeof(Known))) == NULL) {
            PyErr_NoMemory();
            self->fields = i + 1;
            return -1;
        }
        self->fields = i + 1;
    }
    self->type = (PyTypeObject *)Py_NewRef(type);
    self->prefixes = Py_NewRef(prefixes);
    self->new_prefix = Py_NewRef(new_prefix);
    self->attribute_texts = Py_NewRef(attribute_texts);
    self->otherwise = Py_NewRef(otherwise);
    self->wants_care = Py_NewRef(wants_care);
    return 0;
}

/* `measurement,tag=value,... ` of the event's tags: a new reference; NULL with or without an exception (then: care). */
static PyObject *prefix_of(Quick *self, PyObject *event)
{
    PyObject *prefix, *key = PyTuple_New(self->keys);
    if (key == NULL)
        return NULL;
    for (Py_ssize_t i = 0; i < self->keys; i++) {
        PyObject *value = slot(event, self->key[i]);
        if (value == NULL) {
            Py_DECREF(key);
            return NULL;
        }
        PyTuple_SET_ITEM(key, i, Py_NewRef(value));
    }
    prefix = PyDict_GetItemWithError(self->prefixes, key);
    if (prefix != NULL)
        Py_INCREF(prefix);
    else if (PyErr_Occurred()) {
        if (PyErr_ExceptionMatches(PyExc_TypeError)) /* a tag that is no text */
            PyErr_Clear();
    } else
        prefix = PyObject_CallFunctionObjArgs(self->new_prefix, key, event, NULL);
    Py_DECREF(key);
    return prefix;
}

/* Makes room for so many bytes more; NULL with an exception where there is no memory. */
static char *make_room(Quick *self, size_t more)
{
    if (self->length + more > self->room) {
        size_t room = 2 * (self->length + more);
        char *line = PyMem_Realloc(self->line, room);
        if (line == NULL) {
            PyErr_NoMemory();
            return NULL;
        }
        self->line = line;
        self->room = room;
    }
    return self->line + self->length;
}

static int append(Quick *self, const char *bytes, size_t length)
{
    char *to = make_room(self, length);
    if (to == NULL)
        return 0;
    memcpy(to, bytes, length);
    self->length += length;
    return 1;
}

/* Every append_... returns 0, with or without an exception, for a value that wants care. */

static int append_float(Quick *self, Field *field, PyObject *value)
{
    double number;
    uint64_t bits;
    Known *known;
    if (PyFloat_CheckExact(value))
        number = PyFloat_AS_DOUBLE(value);
    else if (!PyLong_CheckExact(value) || ((number = PyLong_AsDouble(value)) == -1.0 && PyErr_Occurred())) {
        PyErr_Clear(); /* beyond every float: the careful way says so */
        return 0;
    }
    if (!(number >= field->low && number <= field->high) || !isfinite(number))
        return 0;
    memcpy(&bits, &number, sizeof bits);
    known = field->known + ((bits * 0x9E3779B97F4A7C15u) >> 55) % REMEMBERED;
    if (known->length == 0 || known->bits != bits) {
        char *text = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, NULL);
        size_t length;
        if (text == NULL)
            return 0;
        if ((length = strlen(text)) > LONGEST_NUMBER) {
            PyMem_Free(text);
            return 0;
        }
        memcpy(known->text, text, length);
        PyMem_Free(text);
        known->length = (unsigned char)length;
        known->bits = bits;
    }
    return append(self, known->text, known->length);
}

/* The digits of `number` before `end`; returns where they begin. */
static char *write_number(char *end, long long number)
{
    unsigned long long left = number < 0 ? 0ULL - (unsigned long long)number : (unsigned long long)number;
    do
        *--end = (char)('0' + left % 10);
    while ((left /= 10) != 0);
    if (number < 0)
        *--end = '-';
    return end;
}

static int append_integer(Quick *self, const Field *field, PyObject *value)
{
    char text[LONGEST_NUMBER], *end = text + LONGEST_NUMBER, *start;
    long long number;
    int overflow;
    if (!PyLong_CheckExact(value))
        return 0;
    number = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || !((double)number >= field->low && (double)number <= field->high))
        return 0;
    if ((number > EXACT_IN_DOUBLE || number < -EXACT_IN_DOUBLE) && (isfinite(field->low) || isfinite(field->high)))
        return 0; /* too near to a bound for a double to tell */
    *--end = 'i';
    start = write_number(end, number);
    return append(self, start, (size_t)(text + LONGEST_NUMBER - start));
}

static int append_string(Quick *self, PyObject *value)
{
    Py_ssize_t length;
    const char *bytes;
    char *to, *start;
    if (!PyUnicode_CheckExact(value))
        return 0;
    if ((bytes = PyUnicode_AsUTF8AndSize(value, &length)) == NULL) {
        PyErr_Clear(); /* not valid Unicode */
        return 0;
    }
    if (length > LONGEST_STRING || (start = to = make_room(self, 2 * (size_t)length + 2)) == NULL)
        return 0;
    *to++ = '"';
    for (Py_ssize_t i = 0; i < length; i++) {
        if (bytes[i] == '"' || bytes[i] == '\\')
            *to++ = '\\';
        *to++ = bytes[i];
    }
    *to++ = '"';
    self->length += (size_t)(to - start);
    return 1;
}

static int append_field(Quick *self, Field *field, PyObject *value)
{
    if (field->kind == STRING && PyUnicode_CheckExact(value) && PyUnicode_GET_LENGTH(value) == 0)
        return 1; /* an empty text is left out */
    if (!append(self, PyBytes_AS_STRING(field->lead), (size_t)Py_SIZE(field->lead)))
        return 0;
    switch (field->kind) {
    case FLOAT:
        return append_float(self, field, value);
    case INTEGER:
        return append_integer(self, field, value);
    case STRING:
        return append_string(self, value);
    case BOOLEAN:
        return PyBool_Check(value) && (value == Py_True ? append(self, "true", 4) : append(self, "false", 5));
    }
    return 0;
}

static int append_attributes(Quick *self, PyObject *event)
{
    PyObject *text = PyObject_CallOneArg(self->attribute_texts, event);
    int appended = text != NULL && PyBytes_CheckExact(text)
                   && append(self, PyBytes_AS_STRING(text), (size_t)Py_SIZE(text));
    Py_XDECREF(text);
    return appended;
}

/* Appends the fields and the time of `event` behind its prefix; 0, with or without an exception, where it wants care. */
static int append_rest(Quick *self, PyObject *event, long long time)
{
    char text[LONGEST_NUMBER], *end = text + LONGEST_NUMBER, *start;
    size_t fields = self->length;
    PyObject *value;

    for (Py_ssize_t i = 0; i < self->fields; i++) {
        value = slot(event, self->field[i].offset);
        if (value != Py_None && (value == NULL || !append_field(self, &self->field[i], value)))
            return 0;
    }
    value = slot(event, self->attributes);
    if (value != Py_None && (value == NULL || !append_attributes(self, event)))
        return 0;
    if (self->length == fields)
        return 0; /* nothing to store */
    self->line[fields] = ' ';
    *--end = '\n';
    start = write_number(end, time);
    *--start = ' ';
    return append(self, start, (size_t)(text + LONGEST_NUMBER - start));
}

/* Appends the line of `event`; 0 and nothing appended, with or without an exception, where it wants care. */
static int append_line(Quick *self, PyObject *event, long long earliest, long long latest)
{
    size_t before = self->length;
    PyObject *value, *prefix;
    long long time;
    int overflow, appended;

    if (!Py_IS_TYPE(event, self->type) || (value = slot(event, self->time)) == NULL || !PyLong_CheckExact(value))
        return 0;
    time = PyLong_AsLongLongAndOverflow(value, &overflow);
    if (overflow || time < earliest || time > latest || (prefix = prefix_of(self, event)) == NULL)
        return 0;
    /* Without its space, which takes the place of the first field's comma. */
    appended = append(self, PyBytes_AS_STRING(prefix), (size_t)Py_SIZE(prefix) - 1) && append_rest(self, event, time);
    Py_DECREF(prefix);
    if (!appended)
        self->length = before;
    return appended;
}

static PyObject *quick_encode(Quick *self, PyObject *event)
{
    self->length = 0;
    if (append_line(self, event, self->earliest, self->latest))
        return PyBytes_FromStringAndSize(self->line, (Py_ssize_t)self->length);
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(self->wants_care))
        return NULL;
    PyErr_Clear();
    return PyObject_CallOneArg(self->otherwise, event);
}

/* The exception that is set, which is none any more; NULL where there was none, or only the wish for care. */
static PyObject *take_error(Quick *self)
{
    PyObject *type, *error, *trace;
    if (!PyErr_Occurred())
        return NULL;
    PyErr_Fetch(&type, &error, &trace);
    PyErr_NormalizeException(&type, &error, &trace);
    if (PyErr_GivenExceptionMatches(type, self->wants_care))
        Py_CLEAR(error);
    Py_XDECREF(type);
    Py_XDECREF(trace);
    return error;
}

static PyObject *quick_encode_many(Quick *self, PyObject *arguments)
{
    PyObject *events, *event, *body, *error;
    Py_ssize_t position, stop, most;
    long long earliest, latest;
    int appended = 1;
    if (!PyArg_ParseTuple(arguments, "O!nnnLL", &PyList_Type, &events, &position, &stop, &most, &earliest, &latest))
        return NULL;
    earliest = earliest > self->earliest ? earliest : self->earliest;
    latest = latest < self->latest ? latest : self->latest;
    self->length = 0;
    while (position < stop && position < PyList_GET_SIZE(events) && (Py_ssize_t)self->length < most) {
        event = Py_NewRef(PyList_GET_ITEM(events, position));
        appended = append_line(self, event, earliest, latest);
        Py_DECREF(event);
        if (!appended)
            break;
        position++;
    }
    if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_Exception))
        return NULL; /* Ctrl-C is nobody's refusal */
    error = take_error(self);
    if ((body = PyBytes_FromStringAndSize(self->line, (Py_ssize_t)self->length)) == NULL) {
        Py_XDECREF(error);
        return NULL;
    }
    return Py_BuildValue("NnN", body, position, error == NULL ? Py_NewRef(Py_None) : error);
}

static PyMethodDef quick_methods[] = {
    {"encode", (PyCFunction)quick_encode, METH_O, "One line of an event, with its line break."},
    {"encode_many", (PyCFunction)quick_encode_many, METH_VARARGS,
     "encode_many(events, start, stop, most_bytes, earliest, latest) -> (lines, next, error)\n\n"
     "The lines of events[start:next], where it stopped: at `stop`, with `most_bytes` or more, or at an event that wants\n"
     "`encode`, or that is refused with `error`."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject QuickType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "writer._quick.Quick",
    .tp_basicsize = sizeof(Quick),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "The encoder's quick way.",
    .tp_traverse = (traverseproc)quick_traverse,
    .tp_clear = (inquiry)quick_clear,
    .tp_dealloc = (destructor)quick_dealloc,
    .tp_methods = quick_methods,
    .tp_init = (initproc)quick_init,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "writer._quick",
    .m_doc = "The encoder's quick way, compiled.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__quick(void)
{
    PyObject *made;
    if (PyType_Ready(&QuickType) < 0 || (made = PyModule_Create(&module)) == NULL)
        return NULL;
    if (PyModule_AddObjectRef(made, "Quick", (PyObject *)&QuickType) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
