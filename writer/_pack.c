/* Packs line protocol into LZ4 blocks, and back: https://github.com/lz4/lz4/blob/dev/doc/lz4_Block_format.md.
   A sequence is a token, literals, and a match: so many bytes again from `offset` before. packing.py has the slow way
   back. Nothing here trusts what it unpacks. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdint.h>
#include <string.h>

#define TABLE_BITS 12
#define FARTHEST 65535
#define SHORTEST_MATCH 4
#define LAST_LITERALS 5   /* a block ends with literals, at least so many, */
#define LAST_MATCH 12     /* and no match begins nearer to the end than this */
#define MOST_BYTES 0x7E000000
#define PATIENCE 6        /* after 2^6 vain looks the next ones are two bytes apart, and so on */
#define STEP 16           /* copied at a time where there is room */

static uint64_t read8(const uint8_t *from)
{
    uint64_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static uint32_t read4(const uint8_t *from)
{
    uint32_t value;
    memcpy(&value, from, sizeof value);
    return value;
}

static uint32_t hash_of(const uint8_t *from)
{
    return (uint32_t)(((read8(from) << 24) * 889523592379ULL) >> (64 - TABLE_BITS));
}

/* How many bytes are the same from `a` and from `b` on, before `end`. */
static size_t same(const uint8_t *a, const uint8_t *b, const uint8_t *end)
{
    const uint8_t *start = a;
#if defined(__GNUC__) && defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    while (end - a >= 8) {
        uint64_t difference = read8(a) ^ read8(b);
        if (difference != 0)
            return (size_t)(a - start) + (size_t)(__builtin_ctzll(difference) >> 3);
        a += 8;
        b += 8;
    }
#endif
    while (a < end && *a == *b) {
        a++;
        b++;
    }
    return (size_t)(a - start);
}

/* What of a length does not fit into its half of the token. */
static uint8_t *write_length(uint8_t *to, size_t left)
{
    while (left >= 255) {
        *to++ = 255;
        left -= 255;
    }
    *to++ = (uint8_t)left;
    return to;
}

static uint8_t *write_literals(uint8_t *to, const uint8_t *from, size_t length, uint8_t **token)
{
    *token = to++;
    **token = (uint8_t)((length < 15 ? length : 15) << 4);
    if (length >= 15)
        to = write_length(to, length - 15);
    memcpy(to, from, length);
    return to + length;
}

/* The block's size; 0 where it would take more than `room` bytes. */
static size_t pack(const uint8_t *source, size_t size, uint8_t *target, size_t room)
{
    uint32_t table[1 << TABLE_BITS];
    const uint8_t *at = source, *unwritten = source, *end = source + size;
    uint8_t *to = target, *token;
    if (size > LAST_MATCH) {
        const uint8_t *last_start = end - LAST_MATCH, *match_end = end - LAST_LITERALS;
        memset(table, 0, sizeof table);
        table[hash_of(at)] = 0;
        at++;
        while (at <= last_start) {
            const uint8_t *match = source;
            size_t looks = 1 << PATIENCE, step, length;
            int found = 0;
            for (;;) {
                uint32_t hash = hash_of(at);
                match = source + table[hash];
                table[hash] = (uint32_t)(at - source);
                if (at - match <= FARTHEST && read4(match) == read4(at)) {
                    found = 1;
                    break;
                }
                step = looks++ >> PATIENCE;
                if ((size_t)(last_start - at) < step)
                    break;
                at += step;
            }
            if (!found)
                break;
            while (at > unwritten && match > source && at[-1] == match[-1]) {
                at--;
                match--;
            }
            /* token, literals and their length, offset, the match's length */
            if ((size_t)(at - unwritten) + (size_t)(at - unwritten) / 255 + (size_t)(end - at) / 255 + 8
                > room - (size_t)(to - target))
                return 0;
            to = write_literals(to, unwritten, (size_t)(at - unwritten), &token);
            *to++ = (uint8_t)(at - match);
            *to++ = (uint8_t)((at - match) >> 8);
            length = SHORTEST_MATCH + same(at + SHORTEST_MATCH, match + SHORTEST_MATCH, match_end);
            at += length;
            unwritten = at;
            length -= SHORTEST_MATCH;
            *token |= (uint8_t)(length < 15 ? length : 15);
            if (length >= 15)
                to = write_length(to, length - 15);
            if (at <= last_start)
                table[hash_of(at - 2)] = (uint32_t)(at - 2 - source);
        }
    }
    if ((size_t)(end - unwritten) + (size_t)(end - unwritten) / 255 + 2 > room - (size_t)(to - target))
        return 0;
    return (size_t)(write_literals(to, unwritten, (size_t)(end - unwritten), &token) - target);
}

/* Adds the bytes of a length that its half of the token does not hold; 0 where the block ends before, or it is longer
   than anything here. */
static int read_length(const uint8_t **at, const uint8_t *end, size_t *length)
{
    uint8_t part;
    do {
        if (*at >= end || *length > MOST_BYTES)
            return 0;
        part = *(*at)++;
        *length += part;
    } while (part == 255);
    return 1;
}

/* Fills exactly `size` bytes of `target`; 0 where this is no block of so many. */
static int unpack(const uint8_t *at, const uint8_t *end, uint8_t *target, size_t size)
{
    uint8_t *to = target, *stop = target + size;
    while (at < end) {
        uint8_t token = *at++;
        size_t length = token >> 4, offset;
        const uint8_t *match;
        if (length < 15 && end - at >= STEP && stop - to >= STEP)
            memcpy(to, at, STEP);
        else {
            if (length == 15 && !read_length(&at, end, &length))
                return 0;
            if (length > (size_t)(end - at) || length > (size_t)(stop - to))
                return 0;
            memcpy(to, at, length);
        }
        at += length;
        to += length;
        if (at == end)
            return to == stop;
        if (end - at < 2)
            return 0;
        offset = (size_t)(at[0] | at[1] << 8);
        at += 2;
        length = token & 15;
        if (offset == 0 || offset > (size_t)(to - target) || (length == 15 && !read_length(&at, end, &length)))
            return 0;
        length += SHORTEST_MATCH;
        if (length > (size_t)(stop - to))
            return 0;
        match = to - offset;
        if (offset >= STEP && (size_t)(stop - to) >= length + STEP) {
            uint8_t *copied = to;
            to += length;
            do {
                memcpy(copied, match, STEP);
                copied += STEP;
                match += STEP;
            } while (copied < to);
        } else
            while (length-- > 0)
                *to++ = *match++;
    }
    return 0;
}

static PyObject *pack_bytes(PyObject *module, PyObject *body)
{
    Py_ssize_t size, room;
    size_t packed;
    PyObject *block;
    const uint8_t *source;
    uint8_t *target;
    (void)module;
    if (!PyBytes_Check(body))
        return PyErr_Format(PyExc_TypeError, "bytes are packed, not %R", (PyObject *)Py_TYPE(body));
    size = PyBytes_GET_SIZE(body);
    if (size > MOST_BYTES || (room = size - size / 8) < 1)
        Py_RETURN_NONE;
    if ((block = PyBytes_FromStringAndSize(NULL, room)) == NULL)
        return NULL;
    source = (const uint8_t *)PyBytes_AS_STRING(body);
    target = (uint8_t *)PyBytes_AS_STRING(block);
    Py_BEGIN_ALLOW_THREADS
    packed = pack(source, (size_t)size, target, (size_t)room);
    Py_END_ALLOW_THREADS
    if (packed == 0) {
        Py_DECREF(block);
        Py_RETURN_NONE;
    }
    _PyBytes_Resize(&block, (Py_ssize_t)packed);
    return block;
}

static PyObject *unpack_bytes(PyObject *module, PyObject *arguments)
{
    Py_buffer block;
    Py_ssize_t size;
    PyObject *body;
    int whole;
    (void)module;
    if (!PyArg_ParseTuple(arguments, "y*n", &block, &size))
        return NULL;
    if (size < 0 || size > MOST_BYTES || (body = PyBytes_FromStringAndSize(NULL, size)) == NULL) {
        PyBuffer_Release(&block);
        return PyErr_Occurred() ? NULL : PyErr_Format(PyExc_ValueError, "%zd bytes are too many", size);
    }
    Py_BEGIN_ALLOW_THREADS
    whole = unpack(block.buf, (const uint8_t *)block.buf + block.len, (uint8_t *)PyBytes_AS_STRING(body), (size_t)size);
    Py_END_ALLOW_THREADS
    PyBuffer_Release(&block);
    if (!whole) {
        Py_DECREF(body);
        return PyErr_Format(PyExc_ValueError, "not an LZ4 block of %zd bytes", size);
    }
    return body;
}

static PyMethodDef methods[] = {
    {"pack", pack_bytes, METH_O, "pack(body) -> an LZ4 block of bytes, or None where an eighth would not be saved"},
    {"unpack", unpack_bytes, METH_VARARGS,
     "unpack(block, size) -> the `size` bytes that it was packed from. Raises ValueError for any other block."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {
    PyModuleDef_HEAD_INIT,
    .m_name = "writer._pack",
    .m_doc = "LZ4 blocks of line protocol.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__pack(void)
{
    return PyModule_Create(&module);
}
