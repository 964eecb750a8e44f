/* Many events that differ from a given one in some attributes, compiled: what `variants` in event.py does in Python
   where this was not built. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <structmember.h>

#define MOST_SLOTS 64

typedef struct {
    PyObject_HEAD
    PyTypeObject *type;
    Py_ssize_t changed, kept;
    Py_ssize_t change[MOST_SLOTS], keep[MOST_SLOTS]; /* where these attributes lie in an event */
} Variants;

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

static PyObject **slot(PyObject *event, Py_ssize_t offset)
{
    return (PyObject **)((char *)event + offset);
}

static int fill_offsets(PyTypeObject *type, PyObject *names, Py_ssize_t *offsets, Py_ssize_t *count)
{
    if (PyTuple_GET_SIZE(names) > MOST_SLOTS) {
        PyErr_SetString(PyExc_ValueError, "too many attributes");
        return -1;
    }
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(names); i++)
        if ((offsets[i] = slot_offset(type, PyTuple_GET_ITEM(names, i))) < 0)
            return -1;
    *count = PyTuple_GET_SIZE(names);
    return 0;
}

/* Variants(type, names of the attributes that differ, names of those that are kept) */
static int variants_init(Variants *self, PyObject *arguments, PyObject *keywords)
{
    PyObject *type, *changed, *kept;
    if (keywords != NULL && PyDict_GET_SIZE(keywords) > 0) {
        PyErr_SetString(PyExc_TypeError, "Variants takes no keyword arguments");
        return -1;
    }
    if (self->type != NULL) {
        PyErr_SetString(PyExc_TypeError, "a Variants is made once");
        return -1;
    }
    if (!PyArg_ParseTuple(arguments, "O!O!O!", &PyType_Type, &type, &PyTuple_Type, &changed, &PyTuple_Type, &kept))
        return -1;
    if (fill_offsets((PyTypeObject *)type, changed, self->change, &self->changed) < 0 ||
        fill_offsets((PyTypeObject *)type, kept, self->keep, &self->kept) < 0)
        return -1;
    self->type = (PyTypeObject *)Py_NewRef(type);
    return 0;
}

/* The value at `place` of a column, or the one of all. */
static PyObject *value(PyObject *column, Py_ssize_t place)
{
    return PyList_CheckExact(column) ? PyList_GET_ITEM(column, place) : column;
}

/* make(count, event, *columns), each of the last a list with `count` values or the value of all */
static PyObject *variants_make(Variants *self, PyObject *const *arguments, Py_ssize_t given)
{
    PyObject *found;
    Py_ssize_t count;
    if (self->type == NULL || given != self->changed + 2) {
        PyErr_Format(PyExc_TypeError, "make takes a count, an event and %zd columns", self->changed);
        return NULL;
    }
    count = PyLong_AsSsize_t(arguments[0]);
    if (count < 0) {
        if (!PyErr_Occurred())
            PyErr_SetString(PyExc_ValueError, "a count is not negative");
        return NULL;
    }
    for (Py_ssize_t i = 1; i < given; i++)
        if (PyList_CheckExact(arguments[i]) && PyList_GET_SIZE(arguments[i]) != count) {
            PyErr_Format(PyExc_ValueError, "not every column has %zd values", count);
            return NULL;
        }
    if ((found = PyList_New(count)) == NULL)
        return NULL;
    for (Py_ssize_t place = 0; place < count; place++) {
        PyObject *event = value(arguments[1], place), *made;
        if (!Py_IS_TYPE(event, self->type)) {
            PyErr_Format(PyExc_TypeError, "%R is no %R", event, (PyObject *)self->type);
            Py_DECREF(found);
            return NULL;
        }
        if ((made = self->type->tp_alloc(self->type, 0)) == NULL) {
            Py_DECREF(found);
            return NULL;
        }
        PyList_SET_ITEM(found, place, made);
        for (Py_ssize_t i = 0; i < self->changed; i++)
            *slot(made, self->change[i]) = Py_NewRef(value(arguments[i + 2], place));
        for (Py_ssize_t i = 0; i < self->kept; i++)
            *slot(made, self->keep[i]) = Py_XNewRef(*slot(event, self->keep[i]));
    }
    return found;
}

static int variants_traverse(Variants *self, visitproc visit, void *arg)
{
    Py_VISIT(self->type);
    return 0;
}

static int variants_clear(Variants *self)
{
    Py_CLEAR(self->type);
    return 0;
}

static void variants_dealloc(Variants *self)
{
    PyObject_GC_UnTrack(self);
    variants_clear(self);
    Py_TYPE(self)->tp_free((PyObject *)self);
}

static PyMethodDef variants_methods[] = {
    {"make", (PyCFunction)(void (*)(void))variants_make, METH_FASTCALL,
     "make(count, event, *columns): so many events, each the given one with its own values of the attributes that differ.\n\n"
     "`event` and each column are a list with `count` values, or what all of them have."},
    {NULL, NULL, 0, NULL},
};

static PyTypeObject VariantsType = {
    PyVarObject_HEAD_INIT(NULL, 0)
    .tp_name = "event_schema._variants.Variants",
    .tp_basicsize = sizeof(Variants),
    .tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC,
    .tp_doc = "Makes many events that differ in a few attributes.",
    .tp_traverse = (traverseproc)variants_traverse,
    .tp_clear = (inquiry)variants_clear,
    .tp_dealloc = (destructor)variants_dealloc,
    .tp_methods = variants_methods,
    .tp_init = (initproc)variants_init,
    .tp_new = PyType_GenericNew,
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "event_schema._variants",
    .m_doc = "Many events that differ in a few attributes, compiled.",
    .m_size = -1,
};

PyMODINIT_FUNC PyInit__variants(void)
{
    PyObject *made;
    if (PyType_Ready(&VariantsType) < 0 || (made = PyModule_Create(&module)) == NULL)
        return NULL;
    if (PyModule_AddObjectRef(made, "Variants", (PyObject *)&VariantsType) < 0) {
        Py_DECREF(made);
        return NULL;
    }
    return made;
}
