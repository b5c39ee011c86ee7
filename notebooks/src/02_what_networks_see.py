# %% [markdown] lang="en"
# # What does a network see, layer by layer?
#
# **{Framework}** · about 60 minutes · before this: [01 Cats and dogs](01_cats_vs_dogs_{framework}.ipynb).
#
# "Early layers see edges, late layers see parts; early layers are general, late ones are specific." You will read this in
# every text on transfer learning. Here we check it. After this lesson you can
#
# - show what a layer answers to: its filters, its feature maps, and the pictures that excite it most;
# - measure what each layer knows, with a **probe**, and choose the layer that suits a task;
# - measure which layers fine-tuning changes, with **CKA**;
# - draw a class activation map (**Grad-CAM**), and test whether it tells the truth;
# - look at features in two dimensions without being fooled by the picture;
# - put a classical classifier on the features, and compare accuracy, seconds and size.

# %% [markdown] lang="es"
# # ¿Qué ve una red, capa por capa?
#
# **{Framework}** · unos 60 minutos · antes: [01 Gatos y perros](01_cats_vs_dogs_{framework}.ipynb).
#
# «Las primeras capas ven bordes y las últimas, partes; las primeras son generales y las últimas, específicas». Lo leerá
# en cualquier texto sobre aprendizaje por transferencia. Aquí lo comprobamos. Al terminar podrá
#
# - mostrar a qué responde una capa: sus filtros, sus mapas de características y las imágenes que más la excitan;
# - medir qué sabe cada capa, con una **sonda**, y elegir la capa que conviene a una tarea;
# - medir qué capas cambia el ajuste fino, con **CKA**;
# - dibujar un mapa de activación de clase (**Grad-CAM**) y comprobar si dice la verdad;
# - ver las características en dos dimensiones sin que la figura le engañe;
# - poner un clasificador clásico sobre las características y comparar exactitud, segundos y tamaño.

# %% tags=["parameters"]
LANGUAGE = "en"  # of the figures: "en" or "es"
SEED = 0
DATASET = "drawn_pets"  # by breeds; or "cats_vs_dogs", a folder with one sub-folder a class
BACKBONE = "mini_resnet"  # or "mobilenet", "resnet50", ...
IMAGE_SIZE = 64  # side of the images, in pixels; what the backbone was trained at
MAX_A_CLASS = 600  # images of each class to use, at most
FINE_TUNE_IMAGES = 192  # labelled images for fine-tuning, all classes together
FINE_TUNE_EPOCHS = 5
FINE_TUNE_RATE = 1e-3  # learning rate; a deeper network needs a lower one (lesson 03 tests it)
LABELS_A_CLASS = 30  # for the classical classifiers
SEEDS = 3  # how often those are repeated

# %% [markdown] lang="en"
# ## What do you expect?

# %% [markdown] lang="es"
# ## ¿Qué espera usted?

# %%
# %matplotlib inline
import time
from functools import partial

import numpy as np

from tlhelpers import plots
from tlhelpers.legacy import metrics as evaluation
from tlhelpers.legacy import inspection_plots, probing
from tlhelpers.legacy.activation_maps import (
    choosy_channels,
    cover_places,
    share_inside,
    strongest_patches,
    strongest_place,
)
from tlhelpers.claims import claim
from tlhelpers.data.datasets import load_splits
from tlhelpers.drawn_pets import BREEDS, SPECIES, draw_pets
from tlhelpers.paths import data_folder
from tlhelpers.quiz import show_quiz
from tlhelpers.legacy.similarity import linear_cka

ENGLISH = LANGUAGE == "en"
POINTS = "points" if ENGLISH else "puntos"  # differences of percentages
DEFAULT = BACKBONE == "mini_resnet" and DATASET == "drawn_pets"
claim_here = partial(claim, language=LANGUAGE, asserted=DEFAULT)  # the bounds hold for these data
show_quiz("02_what_networks_see/before", LANGUAGE)

# %% framework="pytorch"
from tlhelpers.legacy.pytorch import (
    build_classifier,
    build_head,
    extract_features,
    feature_maps,
    fit,
    load_backbone,
    load_source_classifier,
    predict_proba,
    set_seed,
    unfreeze,
)
from tlhelpers.legacy.pytorch.inspection import class_activation_map, first_layer_filters, layer_features

# %% framework="tensorflow"
from tlhelpers.legacy.tensorflow import (
    build_classifier,
    build_head,
    extract_features,
    feature_maps,
    fit,
    load_backbone,
    load_source_classifier,
    predict_proba,
    set_seed,
    unfreeze,
)
from tlhelpers.legacy.tensorflow.inspection import class_activation_map, first_layer_filters, layer_features

# %% [markdown] lang="en"
# ## 1. The first layer: what are its filters?
#
# We take a pretrained [backbone](../../docs/glossary.md#backbone) and, beside it, its **untrained twin**: the same
# architecture with random weights. Whatever the twin shows too is due to the architecture and not to what was learnt.

# %% [markdown] lang="es"
# ## 1. La primera capa: ¿cómo son sus filtros?
#
# Tomamos una [red base](../../docs/glosario.md#red-base) preentrenada y, a su lado, su **gemela sin entrenar**: la misma
# arquitectura con pesos al azar. Lo que también muestre la gemela se debe a la arquitectura y no a lo aprendido.

# %%
set_seed(SEED)
backbone = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
untrained = load_backbone(BACKBONE, weights="random", image_size=IMAGE_SIZE, layer=backbone.layer)
names = backbone.layer_names
LAYERS = [names[round(k)] for k in np.linspace(0, len(names) - 1, min(5, len(names)))]
FIRST, MIDDLE, LAST = LAYERS[0], LAYERS[len(LAYERS) // 2], LAYERS[-1]
print(backbone)
print(" → ".join(LAYERS))

# %% [markdown] lang="en"
# A **filter** is a small picture of weights. It is laid on each place of the image and answers strongly where the image
# looks like it. Only the first layer looks at colours, so only its filters can be shown as pictures. Before you look:
# what should a filter look like that finds edges? And one that finds a colour?

# %% [markdown] lang="es"
# Un **filtro** es una pequeña imagen de pesos. Se coloca sobre cada punto de la imagen y responde con fuerza donde esta
# se le parece. Solo la primera capa mira colores, así que solo sus filtros pueden mostrarse como imágenes. Antes de
# mirar: ¿qué aspecto debería tener un filtro que busca bordes? ¿Y uno que busca un color?


# %%
def grey_share(filters):
    """How much of each filter's energy is the same in red, green and blue: 1 for a grey filter, 0 for pure colour."""
    return 3 * (filters.mean(-1) ** 2).sum((1, 2)) / (filters**2).sum((1, 2, 3))


filters, random_filters = first_layer_filters(backbone), first_layer_filters(untrained)
order = np.argsort(-grey_share(filters))[:64]
axes = inspection_plots.show_filters(filters[order])
axes = inspection_plots.show_filters(random_filters[np.argsort(-grey_share(random_filters))[:16]])

# %% [markdown] lang="en"
# *Above: the filters of the pretrained first layer, from the greyest to the most colourful. Light is a positive weight,
# dark a negative one, mid-grey is zero. Below: some filters of the untrained twin.*
#
# Training has divided the labour. Some filters are grey: light on one side, dark on the other, which makes an **edge**
# detector. Others hold colour and nothing else. The twin's are all a bit of everything. Let us count: a filter is *pure*
# if more than 90 % of its energy is grey, or more than 90 % is colour.

# %% [markdown] lang="es"
# *Arriba: los filtros de la primera capa preentrenada, del más gris al más colorido. Lo claro es un peso positivo, lo
# oscuro uno negativo y el gris medio, cero. Abajo: algunos filtros de la gemela sin entrenar.*
#
# El entrenamiento ha repartido el trabajo. Unos filtros son grises: claros a un lado y oscuros al otro, es decir,
# detectores de **bordes**. Otros solo tienen color. Los de la gemela son todos un poco de todo. Contemos: un filtro es
# *puro* si más del 90 % de su energía es gris, o si más del 90 % es color.


# %%
def pure_share(filters):
    share = grey_share(filters)
    return np.mean((share > 0.9) | (share < 0.1))


claim_here(
    "filters_specialise",
    100 * pure_share(filters),
    en="Many filters of the trained first layer are pure: grey edges or plain colours",
    es="Muchos filtros de la primera capa entrenada son puros: bordes grises o simples colores",
    at_least=40,
    unit="%",
)
claim_here(
    "untrained_filters_do_not",
    100 * pure_share(random_filters),
    en="Of the untrained twin's filters hardly any is pure",
    es="De los filtros de la gemela sin entrenar, casi ninguno es puro",
    at_most=15,
    unit="%",
)

# %% [markdown] lang="en"
# ## 2. From edges to textures to parts?
#
# Deeper filters look at the answers of other filters, not at colours. So we ask in another way: what do they answer to?
# First, one picture and the [feature maps](../../docs/glossary.md#feature-map) of an early, a middle and a late layer.

# %% [markdown] lang="es"
# ## 2. ¿De los bordes a las texturas y a las partes?
#
# Los filtros más profundos no miran colores, sino las respuestas de otros filtros. Así que preguntamos de otro modo: ¿a
# qué responden? Primero, una imagen y los [mapas de características](../../docs/glosario.md#mapa-de-características) de
# una capa del principio, una de en medio y una del final.

# %% tags=["nbval-check-output"]
drawn = DATASET.startswith("drawn_pets")
data = load_splits(
    "drawn_pets_breeds" if drawn else DATASET,  # breeds are harder than species: more mistakes to look at
    image_size=IMAGE_SIZE, seed=SEED, val_fraction=0.15, max_per_class=MAX_A_CLASS, progress=False,
)  # fmt: skip
class_names = plots.class_words(data.train.class_names, LANGUAGE)
print(*(f"{part}: {len(getattr(data, part))}" for part in ("train", "val", "test")), sep=" · ")

# %%
picture = data.train.images[:1]
maps = {name: feature_maps(backbone, picture, name)[0] for name in (FIRST, MIDDLE, LAST)}
axes = plots.show_images(picture, [class_names[data.train.labels[0]]], side=1.5)
axes = plots.show_feature_maps({name: m for name, m in maps.items() if m.ndim == 3})

# %% [markdown] lang="en"
# *A picture, and six maps (channels) of each of three layers; yellow is strong. The first layer keeps the outline, sharp.
# The last one has a few pixels: it says little about where, and much about what.*
#
# A map shows where a channel answers, but not what it waits for. For that we look through many pictures and cut out the
# places that excite a channel most. The piece is about as large as what the channel can see: its **receptive field**.

# %% [markdown] lang="es"
# *Una imagen, y seis mapas (canales) de cada una de tres capas; el amarillo indica una respuesta fuerte. La primera
# capa conserva el contorno, nítido. La última tiene unos pocos píxeles: dice poco de dónde y mucho de qué.*
#
# Un mapa muestra dónde responde un canal, pero no qué es lo que espera. Para eso recorremos muchas imágenes y recortamos
# los lugares que más excitan a un canal. El recorte es más o menos tan grande como lo que el canal alcanza a ver: su
# **campo receptivo**.

# %%
looked_at = data.train.images[:150]
patches = {}
for name in LAYERS[1:]:
    maps = feature_maps(backbone, looked_at, name)
    if maps.ndim == 4:
        side = min(IMAGE_SIZE, 5 * IMAGE_SIZE // maps.shape[1])
        channels = choosy_channels(maps, 3)
        patches[name] = [strongest_patches(looked_at, maps, channel, side, top=3) for channel in channels]
axes = inspection_plots.show_patches(patches)

# %% [markdown] lang="en"
# *A row a layer, with the side of its pieces in pixels. Each group of three belongs to one channel: the places, in
# three pictures, that excite it most. We show the three channels of each layer that are the choosiest.*
#
# Above: edges, corners, small dark discs (an eye is one). Further down the pieces grow: fur, ears, muzzles. At the end:
# whole animals that have something in common. But the eye is quick to find what it expects, so we want a number.
#
# ### A test with scissors
#
# Cut each picture into 4 × 4 tiles and lay them anew at random. Edges and textures are all still there. Parts and their
# arrangement are gone. A layer that sees only edges and textures should hardly notice. Which layers notice?
#
# To compare the features of whole and of shuffled pictures we use **linear CKA** (centred kernel alignment):
#
# $$\mathrm{CKA}(X, Y) = \frac{\lVert X^\top Y \rVert_F^2}{\lVert X^\top X \rVert_F \; \lVert Y^\top Y \rVert_F}$$
#
# $X$ and $Y$ are two tables of features of the same images, a row an image, a column a channel, each column with its mean
# subtracted. $X^\top$ is $X$ with rows and columns swapped, and $\lVert \cdot \rVert_F$ is the root of the sum of all
# squared entries. 1 means: both say the same about which images are alike. Near 0: they have nothing in common. It does
# not matter in which order the channels stand.

# %% [markdown] lang="es"
# *Una fila por capa, con el lado de los recortes en píxeles. Cada grupo de tres pertenece a un canal: los lugares, en
# tres imágenes, que más lo excitan. De cada capa mostramos los tres canales más exigentes.*
#
# Arriba: bordes, esquinas, pequeños discos oscuros (un ojo lo es). Más abajo los trozos crecen: pelo, orejas, hocicos. Al
# final: animales enteros que tienen algo en común. Pero el ojo enseguida encuentra lo que espera, así que queremos un
# número.
#
# ### Una prueba con tijeras
#
# Cortemos cada imagen en 4 × 4 cuadros y coloquémoslos de nuevo al azar. Los bordes y las texturas siguen ahí. Las partes
# y su disposición desaparecen. Una capa que solo ve bordes y texturas apenas debería notarlo. ¿Qué capas lo notan?
#
# Para comparar las características de las imágenes enteras y de las barajadas usamos **CKA lineal** (*centred kernel
# alignment*, alineación centrada de núcleos):
#
# $$\mathrm{CKA}(X, Y) = \frac{\lVert X^\top Y \rVert_F^2}{\lVert X^\top X \rVert_F \; \lVert Y^\top Y \rVert_F}$$
#
# $X$ e $Y$ son dos tablas de características de las mismas imágenes: una fila por imagen, una columna por canal, y a cada
# columna se le ha restado su media. $X^\top$ es $X$ con filas y columnas intercambiadas, y $\lVert \cdot \rVert_F$ es la
# raíz de la suma de todos los elementos al cuadrado. Un 1 significa que ambas dicen lo mismo sobre qué imágenes se
# parecen; cerca de 0, que no tienen nada en común. El orden de los canales no importa.

# %%
whole = data.train.images[:250]
shuffled = probing.shuffle_tiles(whole, 4, seed=SEED)


def compare(first, second, model):
    features, others = layer_features(model, first, LAYERS), layer_features(model, second, LAYERS)
    return [linear_cka(features[name], others[name]) for name in LAYERS]


trained_label, untrained_label = (
    ("pretrained", "untrained twin") if ENGLISH else ("preentrenada", "gemela sin entrenar")
)
arrangement = {
    trained_label: compare(whole, shuffled, backbone),
    untrained_label: compare(whole, shuffled, untrained),
}
ax = inspection_plots.plot_similarity(arrangement, LAYERS, language=LANGUAGE)

# %% [markdown] lang="en"
# *Likeness of the features of whole and of shuffled pictures, layer by layer; 1 means that shuffling changes nothing.*

# %% [markdown] lang="es"
# *Parecido entre las características de las imágenes enteras y las de las barajadas, capa por capa; 1 significa que
# barajar no cambia nada.*

# %%
claim_here(
    "late_layers_see_arrangement",
    arrangement[trained_label][0] - arrangement[trained_label][-1],
    en="Shuffled tiles change the last layer far more than the first",
    es="Barajar los cuadros cambia la última capa mucho más que la primera",
    at_least=0.2,
)
claim_here(
    "depth_alone_does_not",
    arrangement[untrained_label][-1] - arrangement[trained_label][-1],
    en="That is learnt: the untrained twin's last layer notices far less",
    es="Eso se aprende: la última capa de la gemela sin entrenar lo nota mucho menos",
    at_least=0.1,
)

# %% [markdown] lang="en"
# So the first half of the textbook sentence stands: layer by layer, the network goes from local detail to arrangement,
# and it has learnt to.
#
# ## 3. Are early layers general and late ones specific?
#
# Now the second half. We ask each layer what it knows. A [linear probe](../../docs/glossary.md#linear-probe) is a
# logistic regression that sees the features of one layer only. If it answers well, the layer holds the answer. We probe
# three kinds of task:
#
# - the **source task**, that the network was trained for: naming things in photos;
# - a **near target**: what animal is it?
# - a **far target**, that has nothing to do with what the picture shows: how was it taken? We blur, tint or add noise to
#   some of the pictures, very slightly, and the probe has to say which. (Three tasks; we take their mean.)
#
# Draw, on paper, three curves of accuracy over depth. Then go on.

# %% [markdown] lang="es"
# Así que la primera mitad de la frase se sostiene: capa tras capa, la red va del detalle local a la disposición, y eso lo
# ha aprendido.
#
# ## 3. ¿Son generales las primeras capas y específicas las últimas?
#
# Ahora, la segunda mitad. Preguntamos a cada capa qué sabe. Una [sonda lineal](../../docs/glosario.md#sonda-lineal) es
# una regresión logística que solo ve las características de una capa. Si responde bien, es que la capa contiene la
# respuesta. Sondeamos tres tipos de tarea:
#
# - la **tarea de origen**, para la que se entrenó la red: nombrar cosas en fotos;
# - una **tarea cercana**: ¿qué animal es?
# - una **tarea lejana**, que no tiene nada que ver con lo que muestra la imagen: ¿cómo se tomó? Desenfocamos, teñimos o
#   añadimos ruido a algunas imágenes, muy poco, y la sonda debe decir a cuáles. (Tres tareas; tomamos su media.)
#
# Dibuje en un papel tres curvas de exactitud según la profundidad. Después, siga.

# %% [markdown] lang="en"
# The source task needs a word of honesty. The photos that the network learnt from do not travel with this course. If you
# have a classroom pack with Tiny ImageNet, we use its photos and their true words. If not, we take a stand-in: a **second
# network**, trained on the same words but independently, names our pictures, and the eight words that it uses most become
# the classes. It is often wrong about what they show. But to predict its words is a task of the same kind as the source
# task: can the layer tell what such a network would say?

# %% [markdown] lang="es"
# Sobre la tarea de origen hay que ser honrados. Las fotos de las que aprendió la red no viajan con este curso. Si tiene
# un paquete de aula con Tiny ImageNet, usamos sus fotos y sus palabras verdaderas. Si no, tomamos un sustituto: una
# **segunda red**, entrenada con las mismas palabras pero de forma independiente, pone nombre a nuestras imágenes, y las
# ocho palabras que más usa se convierten en las clases. A menudo se equivoca sobre lo que muestran. Pero predecir sus
# palabras es una tarea del mismo tipo que la de origen: ¿sabe la capa qué diría una red así?

# %%
images, labels = data.train.images[:750], data.train.labels[:750]
source = probing.tiny_imagenet_task(data_folder(), IMAGE_SIZE, seed=SEED)
if source is None:
    witness = load_source_classifier("mini_resnet_narrow")
    answers = predict_proba(witness, probing.resize(images, witness.input_size)).argmax(1)
    places, source_labels, words = probing.keep_frequent(answers, 8)
    source = images[places], source_labels
    print(", ".join(witness.class_names[k] for k in words))
changed, camera_tasks = probing.change_camera(images, seed=SEED)
print(f"{len(source[0])} · {len(images)} · {len(changed)}")

# %%
models = {trained_label: backbone, untrained_label: untrained}
source_name, near_name, far_name = (
    ("source task: words", "near: what animal?", "far: how was it taken?")
    if ENGLISH
    else ("tarea de origen: palabras", "cercana: ¿qué animal?", "lejana: ¿cómo se tomó?")
)
species_name = "near: cat or dog?" if ENGLISH else "cercana: ¿gato o perro?"
tasks = {source_name: source, near_name: (images, labels)}
species_of = {breed.name.replace("_", " "): SPECIES.index(breed.species) for breed in BREEDS}
if drawn:  # we know the species of each breed
    tasks[species_name] = images, np.array([species_of[data.train.class_names[k]] for k in labels])
seen = {model: {near_name: layer_features(models[model], images, LAYERS)} for model in models}
for model in models:
    seen[model][source_name] = layer_features(models[model], source[0], LAYERS)
    seen[model][species_name] = seen[model][near_name]  # the same pictures
    seen[model][far_name] = layer_features(models[model], changed, LAYERS)

# %% [markdown] lang="en"
# Each probe is trained on two thirds of the pictures and tested on the last third, three times, so that every picture is
# tested once. (The test part of the data stays closed.)

# %% [markdown] lang="es"
# Cada sonda se entrena con dos tercios de las imágenes y se prueba con el tercio restante, tres veces, de modo que cada
# imagen se prueba una vez. (La parte de prueba de los datos sigue cerrada.)

# %%
right, camera_right = {}, {}
for model in models:
    for task, (_, truth) in tasks.items():
        right[task, model] = probing.probe_layers(seen[model][task], truth, seed=SEED)
    for task, truth in camera_tasks.items():
        camera_right[task, model] = probing.probe_layers(seen[model][far_name], truth, seed=SEED)
    three = [camera_right[task, model] for task in camera_tasks]
    right[far_name, model] = {name: np.mean([one[name] for one in three], axis=0) for name in LAYERS}

# %%
panels = {
    task: {
        model: [evaluation.wilson_interval(v.mean(), len(v)) for v in right[task, model].values()] for model in models
    }
    for task in (*tasks, far_name)
}
chance = {task: np.bincount(truth).max() / len(truth) for task, (_, truth) in tasks.items()} | {far_name: 0.5}
axes = inspection_plots.plot_over_depth(panels, LAYERS, chance=chance, language=LANGUAGE)
for task in panels:
    print(f"{task:>28}:", *(f"{name} {e.value:.0%}" for name, e in zip(LAYERS, panels[task][trained_label])), sep="  ")

# %% [markdown] lang="en"
# *Accuracy of the probes over depth, with 95 % intervals. Solid: the pretrained network. Dashed: its untrained twin.
# Dotted: what always giving the most frequent answer would get.*
#
# How do these compare with your curves? Image by image:

# %% [markdown] lang="es"
# *Exactitud de las sondas según la profundidad, con intervalos del 95 %. Línea continua: la red preentrenada. Rayas: su
# gemela sin entrenar. Puntos: lo que se lograría dando siempre la respuesta más frecuente.*
#
# ¿Se parecen a sus curvas? Imagen por imagen:


# %%
def gain(task, before, after):
    return evaluation.paired_difference(right[task, trained_label][before], right[task, trained_label][after])


gains = {
    (task, before, after): gain(task, before, after)
    for task in (source_name, near_name, far_name)
    for before, after in ((FIRST, MIDDLE), (MIDDLE, LAST), (FIRST, LAST))
}
for (task, before, after), difference in gains.items():
    print(f"{task}, {before} → {after}:", evaluation.describe_difference(difference, LANGUAGE))

# %%
claim_here(
    "source_task_grows_with_depth",
    100 * gains[source_name, FIRST, LAST].value,
    en="Of the source task the last layer knows more than the first",
    es="De la tarea de origen, la última capa sabe más que la primera",
    at_least=5,
    unit=POINTS,
)
claim_here(
    "near_task_grows_with_depth",
    100 * gains[near_name, FIRST, LAST].low,
    en="The near target gains from depth too: the whole interval is above 5 points",
    es="La tarea cercana también gana con la profundidad: todo el intervalo supera los 5 puntos",
    at_least=5,
    unit=POINTS,
)
twin = max(right[near_name, untrained_label].values(), key=np.mean)
claim_here(
    "untrained_twin_stays_behind",
    100 * (right[near_name, trained_label][LAST].mean() - twin.mean()),
    en="No layer of the untrained twin comes near the trained last layer: what helps was learnt",
    es="Ninguna capa de la gemela sin entrenar se acerca a la última capa entrenada: lo que ayuda se aprendió",
    at_least=10,
    unit=POINTS,
)

# %% [markdown] lang="en"
# And the far target?

# %% [markdown] lang="es"
# ¿Y la tarea lejana?

# %%
claim_here(
    "last_layer_forgets_the_camera",
    -100 * gains[far_name, MIDDLE, LAST].value,
    en="Of the far target the middle layer knows more than the last",
    es="De la tarea lejana, la capa de en medio sabe más que la última",
    at_least=3,
    unit=POINTS,
)
behind = {
    task: max(e.value for e in curve[trained_label]) - curve[trained_label][0].value for task, curve in panels.items()
}
claim_here(
    "first_layer_is_best_for_nothing",
    100 * min(behind.values()),
    en="But the first layer is the best for none of the tasks, not even for the far one",
    es="Pero la primera capa no es la mejor en ninguna de las tareas, ni siquiera en la lejana",
    at_least=3,
    unit=POINTS,
)

# %% [markdown] lang="en"
# So the textbook sentence is half true, and the half matters.
#
# - **Late is specific**: yes. On its way to naming things, the last layer gives up what does not help with naming.
# - **Early is general**: not in the sense of "good for everything". The first layer is the best for none of our tasks. What
#   it holds is raw material, from which the next layers make something. The most useful layer for a far target lies in
#   between.
# - **Near** tasks, and those that are like the source task, profit from depth. They need not profit to the very end: the
#   lines above say whether the second half of the network still added something to each.
#
# One caveat. Later layers have more channels, so their probes see more numbers. That cannot explain the far target, where
# more numbers do worse.

# %% [markdown] lang="es"
# Así que la frase de los libros es verdad a medias, y el matiz importa.
#
# - **Lo tardío es específico**: sí. En su camino hacia los nombres, la última capa abandona lo que no sirve para nombrar.
# - **Lo temprano es general**: no en el sentido de «bueno para todo». La primera capa no es la mejor en ninguna de
#   nuestras tareas. Contiene la materia prima con la que las siguientes elaboran algo. La capa más útil para una tarea
#   lejana está en medio.
# - Las tareas **cercanas**, y las parecidas a la de origen, aprovechan la profundidad. No siempre hasta el final: las
#   líneas de arriba dicen si la segunda mitad de la red aún le aportó algo a cada una.
#
# Una advertencia. Las últimas capas tienen más canales, así que sus sondas ven más números. Eso no puede explicar la tarea
# lejana, donde con más números se acierta menos.

# %% [markdown] lang="en"
# **Your turn.** You want to sort out blurred pictures, and may compute the network only up to one layer. Which one do you
# take? Write its name into `my_answer`.

# %% [markdown] lang="es"
# **Le toca a usted.** Quiere apartar las imágenes desenfocadas, y solo puede calcular la red hasta una capa. ¿Cuál elige?
# Escriba su nombre en `my_answer`.

# %%
my_answer = None  # one of LAYERS, such as "stage4"


def check_layer(answer):
    accuracies = {name: values.mean() for name, values in camera_right["blur", trained_label].items()}
    best = max(accuracies.values())
    if answer not in accuracies:
        print(f"my_answer = ... ({', '.join(LAYERS)})")
    elif accuracies[answer] >= best - 0.02:
        print(f"✔ {answer}: {accuracies[answer]:.1%}")
    else:
        hint = "Blur is about fine detail: how far in is it kept?" if ENGLISH else (
            "El desenfoque afecta al detalle fino: ¿hasta qué profundidad se conserva?")  # fmt: skip
        print(f"✘ {answer}: {accuracies[answer]:.1%} < {best:.1%}. {hint}")
    return answer in accuracies and accuracies[answer] >= best - 0.02


is_right = check_layer(my_answer)

# %% tags=["solution"]
blur_accuracy = {name: values.mean() for name, values in camera_right["blur", trained_label].items()}
my_answer = max(blur_accuracy, key=blur_accuracy.get)  # measure, do not guess
print(*(f"{name} {value:.1%}" for name, value in blur_accuracy.items()), sep="  ")
assert check_layer(my_answer)

# %% [markdown] lang="en"
# ## 4. Which layers does fine-tuning change?
#
# [Fine-tuning](../../docs/glossary.md#fine-tuning) may change all layers. Does it? We fine-tune the whole network twice,
# once for the near target and once for a far one (is there noise in the picture?), on few images. Then we compare each
# layer before and after with CKA, on pictures that were not trained on.
#
# Your guess: if the *early* layers hold what the far target needs, will fine-tuning for it change the early ones most?

# %% [markdown] lang="es"
# ## 4. ¿Qué capas cambia el ajuste fino?
#
# El [ajuste fino](../../docs/glosario.md#ajuste-fino) puede cambiar todas las capas. ¿Lo hace? Ajustamos la red entera dos
# veces, una para la tarea cercana y otra para una lejana (¿hay ruido en la imagen?), con pocas imágenes. Después
# comparamos con CKA cada capa antes y después, con imágenes que no se usaron para entrenar.
#
# Haga su apuesta: si son las *primeras* capas las que contienen lo que la tarea lejana necesita, ¿serán las que más
# cambie el ajuste fino?

# %%
num_classes = len(class_names)
few = data.train.per_class(min(FINE_TUNE_IMAGES // num_classes, np.bincount(data.train.labels).min()), seed=SEED)


def fine_tune(images, labels, classes):
    set_seed(SEED)
    body = load_backbone(BACKBONE, image_size=IMAGE_SIZE)
    head = build_head(body.feature_size, classes)
    features = extract_features(body, images, progress=False)
    fit(head, features, labels, epochs=30, lr=3e-3, weight_decay=1e-2, seed=SEED, progress=False)
    model = build_classifier(body, head=head)  # the head has learnt first, as in lesson 01
    unfreeze(model)
    fit(model, images, labels, epochs=FINE_TUNE_EPOCHS, lr=FINE_TUNE_RATE, schedule="cosine", augment=True, seed=SEED,
        progress=False)  # fmt: skip
    return model


# %%
few_changed, few_tasks = probing.change_camera(few.images, seed=SEED + 1)
started = time.perf_counter()
tuned_near = fine_tune(few.images, few.labels, num_classes)
tuned_far = fine_tune(few_changed, few_tasks["noise"], 2)
print(f"2 × {len(few)} × {FINE_TUNE_EPOCHS}: {time.perf_counter() - started:.0f} s")

# %%
unseen = ~np.isin(data.train.ids, few.ids)
held_out = np.concatenate([data.train.images[unseen], data.val.images])[:320]
before = layer_features(backbone, held_out, LAYERS)
mixed = np.random.default_rng(SEED).permutation(len(held_out))
near_curve, far_curve, floor_curve = (
    ("fine-tuned: near", "fine-tuned: far (noise)", "other images (nothing in common)")
    if ENGLISH
    else ("ajuste fino: cercana", "ajuste fino: lejana (ruido)", "otras imágenes (nada en común)")
)
similarity = {}
for curve, model in ((near_curve, tuned_near), (far_curve, tuned_far)):
    after = layer_features(model, held_out, LAYERS)
    similarity[curve] = [linear_cka(before[name], after[name]) for name in LAYERS]
untrained_features = layer_features(untrained, held_out, LAYERS)
similarity[untrained_label] = [linear_cka(before[name], untrained_features[name]) for name in LAYERS]
similarity[floor_curve] = [linear_cka(before[name], before[name][mixed]) for name in LAYERS]
ax = inspection_plots.plot_similarity(similarity, LAYERS, language=LANGUAGE)

# %% [markdown] lang="en"
# *Likeness of each layer of the pretrained network with the same layer after fine-tuning, with the untrained twin's, and,
# to know what zero looks like, with its own features of other images.*

# %% [markdown] lang="es"
# *Parecido de cada capa de la red preentrenada con la misma capa tras el ajuste fino, con la de la gemela sin entrenar y,
# para saber qué aspecto tiene el cero, con sus propias características de otras imágenes.*

# %%
claim_here(
    "last_layer_changes_most",
    min(similarity[curve][0] - similarity[curve][-1] for curve in (near_curve, far_curve)),
    en="Fine-tuning changes the last layer more than the first, for the near and for the far target",
    es="El ajuste fino cambia la última capa más que la primera, tanto en la tarea cercana como en la lejana",
    at_least=0.02,
)
claim_here(
    "far_target_changes_more",
    similarity[near_curve][-1] - similarity[far_curve][-1],
    en="The far target changes the last layer more than the near one",
    es="La tarea lejana cambia la última capa más que la cercana",
    at_least=0.03,
)
claim_here(
    "cka_of_nothing_is_small",
    max(similarity[floor_curve]),
    en="Where there is nothing in common, CKA is small, so these numbers mean something",
    es="Donde no hay nada en común, CKA es pequeño, así que estos números significan algo",
    at_most=0.3,
)

# %% [markdown] lang="en"
# Even for the far target it is the *last* layer that changes most. A likely reason: what the target needs is there in the
# layers before, and the last one has to be made to let it through. So early layers are the ones to freeze first. It is also
# a hint: for a far target it may be simpler to cut the network at an earlier layer.
#
# Be careful with the size of these numbers. They belong to one training each, with one
# [learning rate](../../docs/glossary.md#learning-rate). With a lower rate every layer moves less, and the two targets may be
# hard to tell apart. Try it.
#
# ## 5. Where does it look?
#
# Which parts of a picture speak for the answer? A [class activation
# map](../../docs/glossary.md#class-activation-map) shows it. **Grad-CAM** makes one for any network:
#
# $$M = \max\Big(0, \sum_k \alpha_k A_k\Big), \qquad \alpha_k = \frac{1}{P} \sum_p \frac{\partial s}{\partial A_{k,p}}$$
#
# $A_k$ is the map of channel $k$ of the last layer, $A_{k,p}$ its value at pixel $p$, and $P$ the number of its pixels.
# $s$ is the score of the class. So $\alpha_k$ says how much the score grows with channel $k$, and $M$ adds up the maps,
# each with that weight, and cuts off what speaks against the class.

# %% [markdown] lang="es"
# Incluso con la tarea lejana, es la *última* capa la que más cambia. Una razón probable: lo que la tarea necesita está en
# las capas anteriores, y hay que conseguir que la última lo deje pasar. Así que las primeras capas son las primeras que se
# congelan. También es una pista: para una tarea lejana puede ser más sencillo cortar la red en una capa anterior.
#
# Cuidado con el tamaño de estos números. Son de un solo entrenamiento cada uno, con una sola
# [tasa de aprendizaje](../../docs/glosario.md#tasa-de-aprendizaje). Con una tasa menor, todas las capas se mueven menos y
# puede ser difícil distinguir las dos tareas. Pruébelo.
#
# ## 5. ¿Dónde mira?
#
# ¿Qué partes de una imagen hablan a favor de la respuesta? Lo muestra un [mapa de activación de
# clase](../../docs/glosario.md#mapa-de-activación-de-clase). **Grad-CAM** lo obtiene de cualquier red:
#
# $$M = \max\Big(0, \sum_k \alpha_k A_k\Big), \qquad \alpha_k = \frac{1}{P} \sum_p \frac{\partial s}{\partial A_{k,p}}$$
#
# $A_k$ es el mapa del canal $k$ de la última capa, $A_{k,p}$ su valor en el píxel $p$ y $P$ el número de píxeles. $s$ es
# la puntuación de la clase. Así, $\alpha_k$ dice cuánto crece la puntuación con el canal $k$, y $M$ suma los mapas, cada
# uno con ese peso, y corta lo que habla en contra de la clase.

# %%
if drawn:  # new animals, of which we know where their heads are
    pets = draw_pets(320, seed=SEED + 2000, size=IMAGE_SIZE)
    pictures, truth = pets.images, pets.breeds
else:
    pictures, truth = data.test.images[:300], data.test.labels[:300]
probabilities = predict_proba(tuned_near, pictures)
answers = probabilities.argmax(1)
correct = answers == truth
evidence = class_activation_map(tuned_near, pictures, answers)
print(evaluation.wilson_interval(correct.mean(), len(correct)))

# %%
shown_right, shown_wrong = np.flatnonzero(correct)[:5], evaluation.most_confident_mistakes(truth, probabilities, 5)
titles = [class_names[k] for k in answers[shown_right]]
axes = inspection_plots.show_activation_maps(pictures[shown_right], evidence[shown_right], titles, columns=5)
if len(shown_wrong):
    true_evidence = class_activation_map(tuned_near, pictures[shown_wrong], truth[shown_wrong])
    titles = [f"{class_names[truth[i]]}\n→ {class_names[answers[i]]}" for i in shown_wrong]
    titles += [f"{class_names[truth[i]]} ?" for i in shown_wrong]
    twice, both = pictures[[*shown_wrong, *shown_wrong]], np.concatenate([evidence[shown_wrong], true_evidence])
    axes = inspection_plots.show_activation_maps(twice, both, titles, columns=len(shown_wrong))

# %% [markdown] lang="en"
# *First row: right answers, and what speaks for them; the line surrounds what is stronger than half of the strongest.
# Second row: the most confident mistakes (true class → answer), and what speaks for the **wrong** answer. Third row: the
# same pictures, and what speaks for the **true** class.*
#
# Cover the titles of the second row: could you tell from the maps that these answers are wrong? And in the third row the
# true class finds its evidence too. So a map is no certificate of a right answer.
#
# But does it tell the truth about the network at all? Let us test it: cover the place that the map marks with a grey
# square, and, for comparison, a place at random. If the map is true, the first must cost the answer more probability.

# %% [markdown] lang="es"
# *Primera fila: respuestas correctas y lo que habla a su favor; la línea rodea lo que supera la mitad del máximo. Segunda
# fila: los errores más seguros (clase verdadera → respuesta) y lo que habla a favor de la respuesta **equivocada**. Tercera
# fila: las mismas imágenes y lo que habla a favor de la clase **verdadera**.*
#
# Tape los títulos de la segunda fila: ¿sabría decir, solo por los mapas, que estas respuestas son erróneas? Y en la tercera
# fila también la clase verdadera encuentra sus indicios. Un mapa no certifica, pues, que la respuesta sea correcta.
#
# Pero ¿dice al menos la verdad sobre la red? Pongámoslo a prueba: tapemos con un cuadrado gris el lugar que señala el mapa
# y, para comparar, un lugar al azar. Si el mapa es cierto, lo primero debe costarle a la respuesta más probabilidad.

# %%
side = IMAGE_SIZE * 5 // 16
rng = np.random.default_rng(SEED)
places = {
    "map": strongest_place(evidence),
    "random": rng.integers(side // 2, IMAGE_SIZE - side // 2, (len(pictures), 2)),
}
drops = {}
for name, where in places.items():
    covered = predict_proba(tuned_near, cover_places(pictures, where, side))
    drops[name] = (probabilities - covered)[np.arange(len(answers)), answers]
place_names = dict(zip(places, ("marked place", "random place") if ENGLISH else ("lugar señalado", "lugar al azar")))
groups = {"right answers" if ENGLISH else "aciertos": correct, "mistakes" if ENGLISH else "errores": ~correct}
for group, chosen in groups.items():
    lost = [f"{place_names[name]} −{100 * drops[name][chosen].mean():.0f}" for name in drops if chosen.any()]
    print(f"{group:>14} ({chosen.sum()}):", " · ".join(lost), POINTS)

# %%
claim_here(
    "maps_tell_the_truth",
    100 * (drops["map"] - drops["random"]).mean(),
    en="Covering the marked place costs the answer more probability than covering a random place",
    es="Tapar el lugar señalado le cuesta a la respuesta más probabilidad que tapar un lugar al azar",
    at_least=5,
    unit=POINTS,
)
if (~correct).sum() >= 20:
    claim_here(
        "also_for_mistakes",
        100 * (drops["map"] - drops["random"])[~correct].mean(),
        en="That holds for mistakes too: the map explains the answer, right or wrong",
        es="También vale para los errores: el mapa explica la respuesta, sea correcta o no",
        at_least=0,
        unit=POINTS,
    )

# %% [markdown] lang="en"
# For drawn animals we also know where the head is. How much of the map lies on it? (A map that knew nothing would have as
# much on the head as the head has of the picture.)

# %% [markdown] lang="es"
# En los animales dibujados sabemos, además, dónde está la cabeza. ¿Qué parte del mapa cae sobre ella? (Un mapa que no
# supiera nada tendría sobre la cabeza tanto como la cabeza ocupa de la imagen.)

# %%
if drawn:
    rows, columns = np.indices((IMAGE_SIZE, IMAGE_SIZE))
    circles = np.array([(f.x, f.y, f.scale) for f in pets.factors])[:, :, None, None] * IMAGE_SIZE
    heads = (columns - circles[:, 0]) ** 2 + (rows - circles[:, 1]) ** 2 < circles[:, 2] ** 2
    on_head = share_inside(evidence, heads)
    excess = 100 * (on_head - heads.mean((1, 2)))
    words = ("more on the head than by chance", "95 % interval") if ENGLISH else (
        "más sobre la cabeza que por azar", "intervalo del 95 %")  # fmt: skip
    for group, chosen in groups.items():
        if np.isfinite(excess[chosen]).sum() > 1:
            e = evaluation.mean_interval(excess[chosen][np.isfinite(excess[chosen])])
            print(f"{group:>14}: {e.value:+.1f} {POINTS} {words[0]} ({words[1]}: {e.low:+.1f} … {e.high:+.1f})")
    claim_here(
        "right_answers_look_at_the_head",
        np.nanmean(on_head[correct]) / heads[correct].mean(),
        en="For right answers the head has clearly more of the map than of the picture",
        es="En los aciertos, la cabeza tiene una parte claramente mayor del mapa que de la imagen",
        at_least=1.2,
        unit="×",
    )

# %% [markdown] lang="en"
# The lines above say how far right answers and mistakes differ in this. If the two intervals overlap, this test cannot
# tell them apart.
#
# ## 6. Features in two dimensions
#
# A picture has hundreds of features; paper has two dimensions. Two ways to draw it all the same:
#
# - **PCA** (principal component analysis) turns the cloud of points so that we look at it from its broadest side.
# - **t-SNE** moves points on the paper until those that were neighbours are neighbours again. Distances between groups,
#   and the size of a group, mean nothing.
#
# So that the picture has a number, we add the [silhouette](../../docs/glossary.md#silhouette-score). For one image, let $a$ be
# the mean distance to the images of its own class, and $b$ that to the nearest other class. Its silhouette is
# $(b - a) / \max(a, b)$: 1 if the classes lie far apart, 0 if they touch, below 0 if it lies among strangers. We take the
# mean over all images, which here are the test images.

# %% [markdown] lang="es"
# Las líneas de arriba dicen cuánto difieren en esto los aciertos y los errores. Si los dos intervalos se solapan, esta
# prueba no puede distinguirlos.
#
# ## 6. Las características en dos dimensiones
#
# Una imagen tiene cientos de características; el papel, dos dimensiones. Dos maneras de dibujarlo a pesar de todo:
#
# - **PCA** (análisis de componentes principales) gira la nube de puntos para que la veamos por su lado más ancho.
# - **t-SNE** mueve los puntos sobre el papel hasta que los que eran vecinos vuelven a serlo. Las distancias entre grupos, y
#   el tamaño de un grupo, no significan nada.
#
# Para que la figura tenga un número, añadimos el [índice de silueta](../../docs/glosario.md#coeficiente-de-silueta). Para una
# imagen, sea $a$ la distancia media a las imágenes de su clase y $b$ la distancia media a las de la otra clase más cercana.
# Su silueta es $(b - a) / \max(a, b)$: 1 si las clases están muy separadas, 0 si se tocan, menos de 0 si está entre
# extraños. Tomamos la media de todas las imágenes, que aquí son las de prueba.

# %%
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.metrics import silhouette_score

test = data.test.take(np.arange(len(data.test))[:400])
moments = {"before": backbone, "after": tuned_near.backbone}
moment_words = dict(zip(moments, ("before", "after fine-tuning") if ENGLISH else ("antes", "tras el ajuste fino")))
full_word = "all features" if ENGLISH else "todas"
silhouettes, points = {}, {}
for moment, model in moments.items():
    cloud = extract_features(model, test.images, progress=False)
    pca = PCA(2, random_state=SEED).fit(cloud)
    flat = {full_word: cloud, "PCA": pca.transform(cloud)}
    flat["t-SNE"] = TSNE(2, init="pca", perplexity=30, random_state=SEED).fit_transform(cloud)
    silhouettes[moment] = {way: silhouette_score(where, test.labels) for way, where in flat.items()}
    kept = 100 * pca.explained_variance_ratio_.sum()
    print(f"{moment_words[moment]:>20}:", *(f"{way} {value:+.2f}" for way, value in silhouettes[moment].items()),
          f"(PCA: {kept:.0f} %)", sep="  ")  # fmt: skip
    points |= {f"{way}, {moment_words[moment]}": where for way, where in list(flat.items())[1:]}

# %%
columns_first = dict(sorted(points.items(), key=lambda item: item[0].startswith("t-SNE")))
shown_classes = list(range(min(6, num_classes)))
axes = inspection_plots.plot_embeddings(
    columns_first, test.labels, class_names, highlighted=shown_classes, language=LANGUAGE
)

# %% [markdown] lang="en"
# *Test images as points, by the features before (left) and after fine-tuning (right), drawn with PCA (above) and with
# t-SNE (below); up to six classes in colour. The lines above the figure give the silhouettes of all classes, and in
# brackets how much of the spread of the points the two axes of PCA keep.*

# %% [markdown] lang="es"
# *Las imágenes de prueba como puntos, según las características de antes (izquierda) y de después del ajuste fino
# (derecha), dibujadas con PCA (arriba) y con t-SNE (abajo); hasta seis clases en color. Las líneas encima de la figura dan
# las siluetas de todas las clases y, entre paréntesis, qué parte de la dispersión de los puntos conservan los dos ejes de
# PCA.*

# %%
claim_here(
    "fine_tuning_parts_the_classes",
    silhouettes["after"][full_word] - silhouettes["before"][full_word],
    en="Fine-tuning moves the classes apart, on pictures that it never saw",
    es="El ajuste fino separa las clases, en imágenes que nunca vio",
    at_least=0.01,
)
claim_here(
    "two_axes_lose_much",
    kept,
    en="PCA's two axes keep no more than three quarters of the spread: the rest is not in the figure",
    es="Los dos ejes de PCA no conservan más de tres cuartos de la dispersión: el resto no está en la figura",
    at_most=75,
    unit="%",
)

# %% [markdown] lang="en"
# A muddle on paper does not mean a muddle in the features. Compare the silhouettes with the accuracy that the probe of
# section 3 reached at the last layer. A linear classifier looks along any direction; the paper has only two. Use such
# figures to find questions, and answer them with a number.
#
# ## 7. A classical classifier on the features
#
# Features are a table of numbers. So any classifier for tables will do. We take four, each with the same features of the
# same few labelled pictures:
#
# - **logistic regression**: a weighted sum for each class;
# - a **support vector machine** (SVM): remembers the pictures at the border between classes;
# - ***k* nearest neighbours** (kNN): remembers all pictures, and asks the *k* most similar ones;
# - a small **multilayer perceptron** (MLP): a network with one hidden layer of 64.
#
# Settings such as *k* are chosen with the validation part. Which will be the most accurate? Which the smallest?

# %% [markdown] lang="es"
# Que en el papel haya confusión no significa que la haya en las características. Compare las siluetas con la exactitud que
# logró la sonda de la sección 3 en la última capa. Un clasificador lineal mira en cualquier dirección; el papel solo tiene
# dos. Use estas figuras para encontrar preguntas, y respóndalas con un número.
#
# ## 7. Un clasificador clásico sobre las características
#
# Las características son una tabla de números. Así que sirve cualquier clasificador para tablas. Tomamos cuatro, con las
# mismas características de las mismas pocas imágenes etiquetadas:
#
# - **regresión logística**: una suma ponderada por clase;
# - una **máquina de vectores de soporte** (SVM): recuerda las imágenes de la frontera entre clases;
# - ***k* vecinos más cercanos** (kNN): recuerda todas las imágenes y pregunta a las *k* más parecidas;
# - un pequeño **perceptrón multicapa** (MLP): una red con una capa oculta de 64.
#
# Los ajustes, como *k*, se eligen con la parte de validación. ¿Cuál será el más exacto? ¿Y el más pequeño?

# %%
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

METHODS = {
    "logistic": lambda seed: [LogisticRegression(C=c, max_iter=2000) for c in (0.01, 0.1, 1)],
    "SVM": lambda seed: [SVC(C=c) for c in (1, 10)],
    "kNN": lambda seed: [KNeighborsClassifier(k) for k in (1, 5, 15)],
    "MLP": lambda seed: [
        MLPClassifier(64, alpha=a, learning_rate_init=0.005, max_iter=1000, random_state=seed) for a in (0.01, 1)
    ],
}
METHOD_NAMES = dict(zip(METHODS, ("logistic regression" if ENGLISH else "regresión logística", "SVM", "kNN", "MLP")))


def fit_best(candidates, x, y):
    """The candidate that does best on the validation part, and the seconds of its training."""
    found = []
    for candidate in candidates:
        started = time.perf_counter()
        candidate.fit(x, y)
        seconds = time.perf_counter() - started
        found.append((candidate.score(scaler.transform(val_features), data.val.labels), candidate, seconds))
    return max(found, key=lambda one: one[0])[1:]


# %%
train_features = extract_features(backbone, data.train.images, progress=False)
row = {name: i for i, name in enumerate(data.train.ids)}
labels_a_class = min(LABELS_A_CLASS, int(np.bincount(data.train.labels).min()))
val_features, test_features = (extract_features(backbone, x, progress=False) for x in (data.val.images, test.images))
table = {method: {"right": [], "fit": [], "answer": [], "numbers": []} for method in METHODS}
for seed in range(SEEDS):
    some = data.train.per_class(labels_a_class, seed=seed)
    features = train_features[[row[name] for name in some.ids]]
    scaler = StandardScaler().fit(features)
    for method, candidates in METHODS.items():
        model, seconds = fit_best(candidates(seed), scaler.transform(features), some.labels)
        started = time.perf_counter()
        answered = model.predict(scaler.transform(test_features))
        for column, value in (
            ("right", answered == test.labels),
            ("fit", seconds),
            ("answer", (time.perf_counter() - started) / len(test)),
            ("numbers", probing.stored_numbers(model) + probing.stored_numbers(scaler)),
        ):
            table[method][column].append(value)

# %%
header = ("accuracy (95 % interval)", "training", "an answer", "size") if ENGLISH else (
    "exactitud (intervalo del 95 %)", "entrenar", "una respuesta", "tamaño")  # fmt: skip
print(f"{'':20}{header[0]:>31}{header[1]:>12}{header[2]:>15}{header[3]:>11}")
estimates = {}
for method, found in table.items():
    estimates[method] = evaluation.accuracy_estimate([one.mean() for one in found["right"]], len(test))
    milliseconds, microseconds = 1e3 * np.mean(found["fit"]), 1e6 * np.mean(found["answer"])
    size = f"{4 * np.mean(found['numbers']) / 1000:,.0f} kB"
    print(
        f"{METHOD_NAMES[method]:20}{estimates[method]!s:>31}{milliseconds:>9,.0f} ms{microseconds:>12,.0f} µs{size:>11}"
    )
ax = plots.plot_estimates({METHOD_NAMES[m]: e for m, e in estimates.items()}, language=LANGUAGE)

# %% [markdown] lang="en"
# *Four classifiers on the same frozen features. In the table: the mean of the seeds, the time to train, the time for one
# answer (without the backbone), and the size as 32-bit numbers. The figure shows the accuracies with their 95 %
# intervals.*
#
# The backbone's own time comes on top for all of them alike. Is any of them better than logistic regression?

# %% [markdown] lang="es"
# *Cuatro clasificadores sobre las mismas características congeladas. En la tabla: la media de las semillas, el tiempo de
# entrenamiento, el tiempo de una respuesta (sin la red base) y el tamaño en números de 32 bits. La figura muestra las
# exactitudes con sus intervalos del 95 %.*
#
# El tiempo de la red base se suma a todos por igual. ¿Es alguno mejor que la regresión logística?

# %%
for method in list(METHODS)[1:]:
    difference = evaluation.paired_difference(np.stack(table["logistic"]["right"]), np.stack(table[method]["right"]))
    print(f"{method:>4}:", evaluation.describe_difference(difference, LANGUAGE))
claim_here(
    "logistic_regression_is_enough",
    100 * (estimates["logistic"].value - max(e.value for e in estimates.values())),
    en="Logistic regression is no more than 5 points behind the best of the four",
    es="La regresión logística no queda a más de 5 puntos del mejor de los cuatro",
    at_least=-5,
    unit=POINTS,
)
claim_here(
    "remembering_is_large",
    np.mean(table["kNN"]["numbers"]) / np.mean(table["logistic"]["numbers"]),
    en="Nearest neighbours, who remember every picture, need many times the space of logistic regression",
    es="Los vecinos más cercanos, que recuerdan cada imagen, ocupan muchas veces más que la regresión logística",
    at_least=5,
    unit="×",
)

# %% [markdown] lang="en"
# **Your turn.** kNN keeps the features of all its labelled pictures. How many numbers are that here, without the labels
# and the scaling? You have `len(some)` pictures with `features.shape[1]` features each. And what would it be with a
# million pictures?

# %% [markdown] lang="es"
# **Le toca a usted.** kNN guarda las características de todas sus imágenes etiquetadas. ¿Cuántos números son aquí, sin
# contar las etiquetas ni el escalado? Hay `len(some)` imágenes con `features.shape[1]` características cada una. ¿Y
# cuántos serían con un millón de imágenes?

# %%
my_answer = None  # a number


def check_numbers(answer):
    correct = answer == features.size
    if answer is None:
        print("my_answer = ...")
    elif correct:
        print(f"✔ {answer:,} → {4 * answer / 1e6:.1f} MB; 1,000,000: {4e-9 * 1e6 * features.shape[1]:.1f} GB")
    else:
        hint = "One number for each picture and each feature." if ENGLISH else (
            "Un número por cada imagen y cada característica.")  # fmt: skip
        print(f"✘ {answer}. {hint}")
    return correct


is_right = check_numbers(my_answer)

# %% tags=["solution"]
my_answer = len(some) * features.shape[1]
assert check_numbers(my_answer)

# %% [markdown] lang="en"
# ## What was learnt
#
# - The first layer's filters are edges and colours. Deeper layers answer to larger pieces, and the last one cares how the
#   parts are arranged. All that is learnt: the untrained twin does not show it.
# - For the source task and a near target the last layer knows more than the first. What a far target needs is partly lost on
#   the way; a layer in between serves it better. The first layer was the best for nothing.
# - So choose the layer with a probe. It takes seconds.
# - Fine-tuning changes the last layer most, and a far target changes it more than a near one.
# - A class activation map explains an answer, right or wrong. Test it by covering what it marks.
# - A picture in two dimensions needs a number beside it.
# - On good features, logistic regression is hard to beat, and it is small.

# %% [markdown] lang="es"
# ## Qué hemos aprendido
#
# - Los filtros de la primera capa son bordes y colores. Las capas más profundas responden a trozos mayores, y a la última le
#   importa cómo están dispuestas las partes. Todo eso se aprende: la gemela sin entrenar no lo muestra.
# - Para la tarea de origen y para una cercana, la última capa sabe más que la primera. Lo que necesita una lejana se pierde
#   en parte por el camino; le sirve más una capa de en medio. La primera capa no fue la mejor para nada.
# - Así que elija la capa con una sonda. Es cuestión de segundos.
# - El ajuste fino cambia sobre todo la última capa, y una tarea lejana la cambia más que una cercana.
# - Un mapa de activación de clase explica una respuesta, sea correcta o no. Compruébelo tapando lo que señala.
# - Una figura en dos dimensiones necesita un número a su lado.
# - Con buenas características, la regresión logística es difícil de superar, y es pequeña.

# %%
show_quiz("02_what_networks_see/after", LANGUAGE)

# %% [markdown] lang="en"
# ## Further reading
#
# - M. D. Zeiler and R. Fergus, "Visualizing and understanding convolutional networks", *ECCV* 2014: what excites a channel.
# - J. Yosinski, J. Clune, Y. Bengio and H. Lipson, "How transferable are features in deep neural networks?", *NeurIPS* 2014:
#   general and specific, measured.
# - G. Alain and Y. Bengio, "Understanding intermediate layers using linear classifier probes", *ICLR Workshop* 2017.
# - S. Kornblith, M. Norouzi, H. Lee and G. Hinton, "Similarity of neural network representations revisited", *ICML* 2019: CKA.
# - R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh and D. Batra, "Grad-CAM: visual explanations from deep
#   networks via gradient-based localization", *ICCV* 2017.
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt and B. Kim, "Sanity checks for saliency maps", *NeurIPS* 2018.
# - M. Wattenberg, F. Viégas and I. Johnson, "How to use t-SNE effectively", *Distill* 2016.

# %% [markdown] lang="es"
# ## Para seguir leyendo
#
# - M. D. Zeiler y R. Fergus, «Visualizing and understanding convolutional networks», *ECCV* 2014: qué excita a un canal.
# - J. Yosinski, J. Clune, Y. Bengio y H. Lipson, «How transferable are features in deep neural networks?», *NeurIPS* 2014:
#   lo general y lo específico, medidos.
# - G. Alain e Y. Bengio, «Understanding intermediate layers using linear classifier probes», *ICLR Workshop* 2017.
# - S. Kornblith, M. Norouzi, H. Lee y G. Hinton, «Similarity of neural network representations revisited», *ICML* 2019: CKA.
# - R. R. Selvaraju, M. Cogswell, A. Das, R. Vedantam, D. Parikh y D. Batra, «Grad-CAM: visual explanations from deep
#   networks via gradient-based localization», *ICCV* 2017.
# - J. Adebayo, J. Gilmer, M. Muelly, I. Goodfellow, M. Hardt y B. Kim, «Sanity checks for saliency maps», *NeurIPS* 2018.
# - M. Wattenberg, F. Viégas e I. Johnson, «How to use t-SNE effectively», *Distill* 2016.
