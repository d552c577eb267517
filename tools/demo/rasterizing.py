"""The inner loops of the renderer, compiled by numba: z-buffer, normals, shading.

Everything is float64 and without `fastmath`: results must not depend on which vector units a CPU has, because the
clips are compared byte for byte. Legend: V vertices, F triangles, H W picture, K attributes, S paint map side.
"""

from __future__ import annotations

import numba
import numpy as np

from tools.demo.geometry import EYE, LASHES, MOUTH, SKIN, SOCKET, TEETH, TONGUE

# Columns of an attribute row: where the vertex lies on the reference face, light, and what is drawn there.
REF_X, REF_Y, DIFFUSE, GLOSS, HAIR, EYE_X, EYE_Y, FRONT = range(8)
# Channels of the paint map.
LIPS, BROWS, FROWN, NASOLABIAL, CROWS_FEET, FOREHEAD, MARIONETTE, CHIN, STRETCH, BLUSH = range(10)
NUM_PAINTS = 10
# Rows of a subject's colours.
(
    SKIN_COLOUR,
    LIP_COLOUR,
    HAIR_COLOUR,
    IRIS_COLOUR,
    CAVITY_COLOUR,
    TEETH_COLOUR,
    TONGUE_COLOUR,
    BROW_COLOUR,
    PUPIL_COLOUR,
    EYEBALL_COLOUR,
) = range(10)


@numba.njit(cache=True)
def rasterize(screen_V2, depth_V, attributes_VK, triangles_F3, material_F, picture_HWK, material_HW, depth_HW):
    """Draws triangles into the three buffers (in place); the nearest (largest depth) wins.

    Back faces are skipped, except lashes, which are seen from both sides. Pixels lie at half integers.
    """
    height, width = depth_HW.shape
    for t in range(triangles_F3.shape[0]):
        a, b, c = triangles_F3[t, 0], triangles_F3[t, 1], triangles_F3[t, 2]
        x0, y0 = screen_V2[a, 0], screen_V2[a, 1]
        x1, y1 = screen_V2[b, 0], screen_V2[b, 1]
        x2, y2 = screen_V2[c, 0], screen_V2[c, 1]
        area = (x1 - x0) * (y2 - y0) - (x2 - x0) * (y1 - y0)
        if abs(area) < 1e-9 or (area > 0 and material_F[t] != LASHES):
            continue
        left = max(int(np.ceil(min(x0, x1, x2) - 0.5)), 0)
        right = min(int(np.floor(max(x0, x1, x2) - 0.5)), width - 1)
        top = max(int(np.ceil(min(y0, y1, y2) - 0.5)), 0)
        bottom = min(int(np.floor(max(y0, y1, y2) - 0.5)), height - 1)
        for row in range(top, bottom + 1):
            y = row + 0.5
            for column in range(left, right + 1):
                x = column + 0.5
                w0 = ((x1 - x) * (y2 - y) - (x2 - x) * (y1 - y)) / area
                w1 = ((x2 - x) * (y0 - y) - (x0 - x) * (y2 - y)) / area
                w2 = 1.0 - w0 - w1
                if w0 < 0 or w1 < 0 or w2 < 0:
                    continue
                depth = w0 * depth_V[a] + w1 * depth_V[b] + w2 * depth_V[c]
                if depth > depth_HW[row, column]:
                    depth_HW[row, column] = depth
                    material_HW[row, column] = material_F[t]
                    for k in range(attributes_VK.shape[1]):
                        picture_HWK[row, column, k] = (
                            w0 * attributes_VK[a, k] + w1 * attributes_VK[b, k] + w2 * attributes_VK[c, k]
                        )


@numba.njit(cache=True)
def vertex_normals(positions_V3, triangles_F3, normals_V3):
    """Area-weighted unit normals of the vertices, into normals_V3."""
    normals_V3[:] = 0.0
    for t in range(triangles_F3.shape[0]):
        a, b, c = triangles_F3[t, 0], triangles_F3[t, 1], triangles_F3[t, 2]
        ux, uy, uz = (
            positions_V3[b, 0] - positions_V3[a, 0],
            positions_V3[b, 1] - positions_V3[a, 1],
            positions_V3[b, 2] - positions_V3[a, 2],
        )
        vx, vy, vz = (
            positions_V3[c, 0] - positions_V3[a, 0],
            positions_V3[c, 1] - positions_V3[a, 1],
            positions_V3[c, 2] - positions_V3[a, 2],
        )
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for vertex in (a, b, c):
            normals_V3[vertex, 0] += nx
            normals_V3[vertex, 1] += ny
            normals_V3[vertex, 2] += nz
    for i in range(normals_V3.shape[0]):
        length = np.sqrt(normals_V3[i, 0] ** 2 + normals_V3[i, 1] ** 2 + normals_V3[i, 2] ** 2) + 1e-12
        normals_V3[i] /= length


@numba.njit(cache=True)
def _paint(colour_3, paint_SSC, u, v, colours_N3, wrinkles_7):
    """Mixes lips, brows, wrinkles and blush into colour_3 (in place) at paint map position (u, v)."""
    iu, iv = int(u), int(v)
    fu, fv = u - iu, v - iv
    for channel in range(paint_SSC.shape[2]):
        amount = (paint_SSC[iv, iu, channel] * (1 - fu) + paint_SSC[iv, iu + 1, channel] * fu) * (1 - fv) + (
            paint_SSC[iv + 1, iu, channel] * (1 - fu) + paint_SSC[iv + 1, iu + 1, channel] * fu
        ) * fv
        if channel in (LIPS, BROWS):
            mixed = LIP_COLOUR if channel == LIPS else BROW_COLOUR
            for k in range(3):
                colour_3[k] += amount * (colours_N3[mixed, k] - colour_3[k])
        elif channel == BLUSH:
            colour_3[0] += amount * 0.04
            colour_3[1] -= amount * 0.02
            colour_3[2] -= amount * 0.015
        else:
            for k in range(3):
                colour_3[k] *= 1.0 - amount * wrinkles_7[channel - FROWN]


@numba.njit(cache=True)
def shade(
    picture_HWK, material_HW, paint_SSC, paint_left, paint_top, paint_scale, colours_N3, iris_radius, wrinkles_7,
    backdrop_H3, out_HW3,
):  # fmt: skip
    """Colours every pixel into out_HW3 (0..1, not clipped). Empty pixels take the backdrop of their row."""
    height, width = material_HW.shape
    side = paint_SSC.shape[0]
    colour_3 = np.empty(3)  # one for all pixels: an allocation a pixel would cost more than the shading
    for row in range(height):
        for column in range(width):
            material = material_HW[row, column]
            if material < 0:
                out_HW3[row, column] = backdrop_H3[row]
                continue
            at_K = picture_HWK[row, column]
            light, gloss = at_K[DIFFUSE], at_K[GLOSS]
            source, factor = SKIN_COLOUR, 1.0
            if material == SKIN and at_K[HAIR] > 0.5:
                source, factor = HAIR_COLOUR, 0.85 + 0.075 * (np.sin(at_K[REF_X] * 60.0 + at_K[REF_Y] * 9.0) + 1.0)
                gloss *= 0.5
            elif material == MOUTH:
                source = CAVITY_COLOUR
            elif material == SOCKET:
                factor = 0.55
            elif material == EYE:
                radius = np.sqrt(at_K[EYE_X] ** 2 + at_K[EYE_Y] ** 2) / iris_radius
                light = 0.55 + 0.45 * light
                source, factor = IRIS_COLOUR, (0.7 + 0.5 * radius) * (0.6 if radius > 0.88 else 1.0)
                if radius < 0.45:
                    source = PUPIL_COLOUR
                elif radius >= 1.0:
                    source, factor = EYEBALL_COLOUR, 1.0
            elif material == TEETH:
                source = TEETH_COLOUR
            elif material == TONGUE:
                source = TONGUE_COLOUR
            elif material == LASHES:
                source, gloss = PUPIL_COLOUR, 0.0
            for k in range(3):
                colour_3[k] = colours_N3[source, k] * factor
            if source == SKIN_COLOUR and material == SKIN and at_K[FRONT] > 0:
                u, v = (at_K[REF_X] - paint_left) * paint_scale, (paint_top - at_K[REF_Y]) * paint_scale
                if 1 <= u < side - 2 and 1 <= v < side - 2:
                    _paint(colour_3, paint_SSC, u, v, colours_N3, wrinkles_7)
            for k in range(3):
                out_HW3[row, column, k] = colour_3[k] * light + gloss
