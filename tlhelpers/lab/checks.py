"""Visible checks of the lab, one a task: they say at once what is wrong, in words a beginner understands.

They teach and decide no grade: a grader scores predictions on images that nobody has seen. They know no label
that the learner does not have. Small examples are made here, so that the message can show them.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from tlhelpers.errors import said
from tlhelpers.lab.alone import equal_json
from tlhelpers.lab.answers import (
    ROUNDING,
    CheckFailedError,
    ask,
    call,
    check_probabilities,
    fail,
    is_chance,
    say,
    short,
    val_accuracy,
)
from tlhelpers.lab.data import LabData
from tlhelpers.lab.predictions import PredictionsError, find_problems, parse_predictions
from tlhelpers.metrics import linear_probe
from tlhelpers.numbers import percent, thousands

__all__ = ["CheckFailedError"]

MOST_FROZEN = 0.1  # of what learns: Keras counts the statistics of BatchNorm as frozen
FAR = 0.1  # of all images: more than two heads on the same features differ by chance
LEAST_MOVE = 1e-4  # of the largest weight: ten steps of a rate of 1e-5 do more, rounding less


def check_balance(data: LabData, class_balance: Callable) -> None:
    """Task 1: how many images of each breed."""
    absent = (
        lambda came: came == [2, 0, 1],
        "Class 3 has no image and should be there with 0. Look at the argument minlength of np.bincount",
        "La clase 3 no tiene imágenes y debería figurar con un 0. Mire el argumento minlength de np.bincount",
    )
    ask(class_balance, np.array([0, 0, 2]), 4, wanted=[2, 0, 1, 0], mistakes=[absent])
    counts = call(class_balance, data.train.labels, data.num_classes)
    low, high = int(min(counts)), int(max(counts))
    say(
        f"{len(counts)} breeds; training images of each: at least {low}, at most {high}",
        f"{len(counts)} razas; imágenes de entrenamiento de cada una: {low} como mínimo y {high} como máximo",
    )


def check_defects(data: LabData, find_defects: Callable) -> None:
    """Task 1: images of one colour, and copies of an earlier one."""
    images = np.array(data.train.images[:8, ::3, ::3])  # the grader's pictures, too, are of another size
    images[1], images[4] = (200, 30, 90), images[2]
    images[5] = images[3]
    images[5, 0, 0, 0] ^= 1
    images[6, 0] = images[6, -1] = images[6, :, 0] = images[6, :, -1] = 7
    images[7] = images[2, ::-1, ::-1]
    came = call(find_defects, images)
    if not isinstance(came, list) or any(type(i) not in (int, float) for i in came):
        fail(f"find_defects(images) should give indices, such as [1, 4], and gave {short(came)}.",
             f"find_defects(images) debería dar índices, como [1, 4], y dio {short(came)}.")  # fmt: skip
    found = set(came)
    wrong = (
        (1 not in found, "all pixels of image 1 are equal (one colour, in red, green and blue), and it was not found",
         "todos los píxeles de la imagen 1 son iguales (un solo color, en rojo, verde y azul) y no se ha encontrado"),
        (2 in found, "image 2 is the first of two equal ones: keep the first, leave out the later one",
         "la imagen 2 es la primera de dos iguales: conserve la primera y descarte la posterior"),
        (4 not in found, "image 4 is a copy of image 2, and was not found",
         "la imagen 4 es una copia de la imagen 2 y no se ha encontrado"),
        (5 in found, "image 5 is like image 3 but for one value: it is no copy",
         "la imagen 5 difiere de la 3 en un valor: no es una copia"),
        (6 in found, "image 6 has a frame of one colour and a picture within: it is sound. Look at all pixels",
         "la imagen 6 tiene un marco de un solo color y dentro una imagen: no tiene defectos. Mire todos los píxeles"),
        (7 in found, "image 7 has the pixels of image 2 in other places: it is no copy",
         "la imagen 7 tiene los píxeles de la 2 en otros lugares: no es una copia"),
        (bool(found - {1, 2, 4, 5, 6, 7}), f"sound images were left out: {sorted(found - {1, 4})}",
         f"se han descartado imágenes sin defectos: {sorted(found - {1, 4})}"),
    )  # fmt: skip
    for happened, en, es in wrong:
        if happened:
            fail(f"In a small example {en}.", f"En un ejemplo pequeño, {es}.")
    say("both kinds of defects are found", "se encuentran los dos tipos de defectos")


def check_baseline(
    data: LabData, history: dict[str, list[float]], counts: dict[str, int], probabilities: np.ndarray
) -> None:
    """Task 2: does all of the network from scratch learn, and has it learnt anything?"""
    value = val_accuracy(data, probabilities)
    if counts["frozen"] > MOST_FROZEN * counts["trainable"]:
        came = thousands(counts["frozen"])
        fail(
            f"{came} parameters of the network are frozen. Its weights are random: all of them must learn.",
            f"La red tiene {came} parámetros congelados. Sus pesos son aleatorios: deben aprender todos.",
        )
    if min(history["loss"]) > 0.98 * np.log(data.num_classes):
        fail(
            f"The training loss stays at {min(history['loss']):.2f}, which is what guessing gives "
            f"(ln {data.num_classes} = {np.log(data.num_classes):.2f}). Is all of the network unfrozen? Is the "
            "learning rate about 1e-3? Are there at least a few epochs?",
            f"La pérdida de entrenamiento se queda en {min(history['loss']):.2f}, lo mismo que respondiendo al azar "
            f"(ln {data.num_classes} = {np.log(data.num_classes):.2f}). ¿Está toda la red descongelada? ¿Es la tasa de "
            "aprendizaje de alrededor de 1e-3? ¿Hay al menos unas cuantas épocas?",
        )
    if is_chance(data, value):
        note = said(
            "Note: on the validation images this is no better than guessing. With very few photos that happens.",
            "Nota: con las imágenes de validación no es mejor que el azar. Con muy pocas fotos por raza es normal.",
        )
        print(note)
    say(f"from scratch: {percent(value)} on validation", f"desde cero: {percent(value)} en validación")


def check_features(
    data: LabData,
    features: tuple[np.ndarray, np.ndarray],
    feature_size: int,
    counts: dict[str, int],
    probabilities: np.ndarray,
    on_train: np.ndarray,
) -> None:
    """Task 3: the frozen backbone, and a head that reaches what its features allow.

    Args:
        data: The lab's images.
        features: Of the images to learn from, and of those to choose with: shape `(n, feature_size)` each.
        feature_size: Numbers in a row of features.
        counts: Parameters of the classifier, `trainable` and `frozen`.
        probabilities: What the classifier answers to all validation images.
        on_train: The same of every third image that it learnt from.
    """
    for name, rows, part in zip(("train", "val"), features, (data.train, data.val), strict=True):
        wanted = (len(part), feature_size)
        if np.shape(rows) != wanted:
            fail(
                f"{name}_features should have the shape {wanted}, a row an image, and has {np.shape(rows)}. Give "
                f"features_of all of data.{name}.images.",
                f"{name}_features debería tener la forma {wanted}, una fila por imagen, y tiene {np.shape(rows)}. Pase "
                f"a features_of todas las imágenes de data.{name}.images.",
            )
    head = (feature_size + 1) * data.num_classes
    came, most = thousands(counts["trainable"]), thousands(head)
    if counts["trainable"] > head:
        fail(
            f"{came} parameters would be trained; one linear layer has only {most}. Either the backbone is not frozen "
            "(its weights must not learn), or the head is more than the one linear layer that this task asks for.",
            f"Se entrenarían {came} parámetros y una sola capa lineal tiene {most}. O la red base no está congelada "
            "(sus pesos no deben aprender), o la cabeza es más que la única capa lineal que pide esta tarea.",
        )
    value = _above_chance(data, probabilities)
    own = float(np.mean(np.argmax(on_train, 1) == data.train.labels[::3]))
    reached, learnt = percent(value), percent(own)
    if value > own + FAR:
        fail(
            f"{reached} on validation, but only {learnt} on the images to learn from. Was the head trained on "
            "val_features? They are there to choose with; train on train_features.",
            f"Un {reached} en validación y solo un {learnt} en las imágenes de entrenamiento. ¿Se entrenó la cabeza "
            "con val_features? Sirven para elegir; entrene con train_features.",
        )
    possible = val_accuracy(data, linear_probe(features[0], data.train.labels, features[1]))
    if value < possible - FAR:
        reach = percent(possible)
        fail(
            f"{reached} on validation; a logistic regression on the same features reaches {reach}. Does the head in "
            "classifier see the features that it was trained on, not standardised or changed otherwise? Was it trained "
            "until the validation loss stopped falling?",
            f"Un {reached} en validación; una regresión logística con las mismas características llega al {reach}. "
            "¿Recibe la cabeza, dentro de classifier, las características con que se entrenó, sin estandarizar ni "
            "cambiar de otro modo? ¿Se entrenó hasta que la pérdida de validación dejó de bajar?",
        )
    say(f"frozen features: {reached} on validation", f"características congeladas: {reached} en validación")


def check_fine_tune(
    data: LabData, old: Mapping[str, np.ndarray], new: Mapping[str, np.ndarray], before: np.ndarray, after: np.ndarray
) -> None:
    """Task 4: weights of the backbone (`old`, `new`) have moved, and it has not forgotten what it knew."""
    moves = [np.abs(new[name] - old[name]).max() / (np.abs(old[name]).max() + 1e-12) for name in old]
    if max(moves) < LEAST_MOVE:
        fail(
            "No weight of the backbone has moved: this is not fine-tuning yet. Let a part of the backbone learn "
            "*before* fit, see that fit runs, and take a rate of about 1e-4.",
            "No se ha movido ningún peso de la red base: todavía no es un ajuste fino. Deje que aprenda una parte de "
            "la red base *antes* de fit, compruebe que fit se ejecuta y use una tasa de alrededor de 1e-4.",
        )
    was, value = val_accuracy(data, before), val_accuracy(data, after)
    old_share, new_share = percent(was), percent(value)
    if value < was - 0.1:
        fail(
            f"Validation accuracy fell from {old_share} to {new_share}: the backbone is forgetting. Start from the "
            "trained head of task 3, and try a learning rate ten times lower.",
            f"La exactitud de validación bajó de {old_share} a {new_share}: la red está olvidando. Parta de la cabeza "
            "entrenada en la tarea 3 y pruebe con una tasa de aprendizaje diez veces menor.",
        )
    say(
        f"frozen {old_share}, fine-tuned {new_share} on validation",
        f"congelada {old_share}, con ajuste fino {new_share} en validación",
    )


def check_top_k(data: LabData, top_k_accuracy: Callable) -> None:
    """Task 5: top-k accuracy on four rows, of which another order gives other shares."""
    labels = np.array([0, 1, 0, 2])
    rows = np.array([[0.6, 0.3, 0.1], [0.5, 0.3, 0.2], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]])
    least = (
        lambda came: equal_json(came, 0.25),
        "These are the k *least* probable classes: argsort puts the smallest first",
        "Son las k clases *menos* probables: argsort pone primero la menor",
    )
    for k, answer in ((1, 0.5), (2, 0.75), (3, 1.0)):
        ask(top_k_accuracy, labels, rows, k, wanted=answer, mistakes=[least] if k == 1 else [])
    say("top-k accuracy is right", "la exactitud top-k es correcta")


def check_macro(data: LabData, macro_accuracy: Callable) -> None:
    """Task 5: a rare class counts as much as a frequent one."""
    labels, predicted = np.array([0, 0, 0, 0, 2, 2]), np.array([0, 0, 0, 1, 2, 0])
    absent = ("Class {} has no image: leave it out of the mean", "La clase {} no tiene imágenes: exclúyala de la media")
    mistakes = (
        (lambda came: equal_json(came, 4 / 6),
         "That is the share of all images; take each class's own share first, then their mean",
         "Es la proporción de todas las imágenes; calcule antes la de cada clase y luego la media"),
        # as scikit-learn does with classes that were answered; and the mean of no images, which is NaN
        (lambda came: equal_json(came, 1.25 / 3) or str(came) == "nan", *(text.format(1) for text in absent)),
        (lambda came: equal_json(came, 1.25 / 4), *(text.format(3) for text in absent)),
    )  # fmt: skip
    ask(macro_accuracy, labels, predicted, 4, wanted=0.625, mistakes=mistakes)
    say("macro accuracy is right", "la exactitud macro es correcta")


def check_confused(data: LabData, most_confused: Callable) -> None:
    """Task 5: the pair of breeds that is confused most often, by count and not by share."""
    labels, predicted = np.array([0, 0, 1, 1, 1, 1, 1, 2]), np.array([0, 0, 2, 2, 1, 1, 1, 1])
    mistakes = (
        (lambda came: isinstance(came, list) and came[:2] in ([0, 0], [1, 1], [2, 2]),
         "That is the diagonal, where answers are right. Set it to 0 first",
         "Es la diagonal, donde se acierta. Póngala antes a 0"),
        (lambda came: isinstance(came, list) and came[:2] == [2, 1],
         "Every image of class 2 was taken for class 1, but that is one image; class 1 was taken for class 2 twice. "
         "Count, and take no shares; rows are true classes",
         "Toda la clase 2 se tomó por la 1, pero es una sola imagen; la clase 1 se tomó por la 2 dos veces. Cuente, no "
         "calcule proporciones; las filas son las clases verdaderas"),
    )  # fmt: skip
    ask(most_confused, labels, predicted, 3, wanted=[1, 2, 2], mistakes=mistakes)
    say("the most confused pair is right", "el par más confundido es correcto")


def check_interval(data: LabData, accuracy_interval: Callable) -> None:
    """Task 5: Wilson's interval, also at the ends."""
    for right, total, low, high in ((8, 10, 0.4902, 0.9433), (10, 10, 0.7225, 1.0)):
        ask(accuracy_interval, right, total, wanted=[low, high])
    say("the interval is right", "el intervalo es correcto")


def check_joint_loss(data: LabData, loss_at: Callable[[float], float], breed_loss: float, species_loss: float) -> None:
    """Task 6: the sum of two losses, the second times a weight; `loss_at(w)` on four made-up pictures."""
    wanted = {weight: breed_loss + weight * species_loss for weight in (0.0, 1.0, 2.0)}
    came = {weight: float(loss_at(weight)) for weight in wanted}
    if np.allclose(list(came.values()), list(wanted.values()), atol=ROUNDING):
        return say("the loss is the sum that was asked for", "la pérdida es la suma que se pedía")
    hints = (
        (np.ptp(list(came.values())) < ROUNDING, "It does not depend on the weight w.", "No depende del peso w."),
        (abs(came[0.0] - breed_loss) > ROUNDING, "With w = 0 the loss of the breeds should remain, whole.",
         "Con w = 0 debería quedar, entera, la pérdida de las razas."),
        (True, "With w = 1 it should be the sum of both.", "Con w = 1 debería ser la suma de ambas."),
    )  # fmt: skip
    en, es = next((en, es) for happened, en, es in hints if happened)
    shown = ", ".join(f"w = {weight:g}: {came[weight]:.3f} ({wanted[weight]:.3f})" for weight in wanted)
    fail(
        f"joint_loss on four made-up pictures, in brackets what it should be: {shown}. {en}",
        f"joint_loss con cuatro imágenes inventadas y, entre paréntesis, lo que debería dar: {shown}. {es}",
    )


def check_two_heads(data: LabData, breeds: np.ndarray, species: np.ndarray) -> None:
    """Task 6: two answers an image, and two heads that have learnt."""
    on_breeds = percent(_above_chance(data, breeds))
    if all(np.max(rows) <= np.e / (np.e + np.shape(rows)[1] - 1) + ROUNDING for rows in (breeds, species)):
        fail(
            "No answer is surer than a softmax of probabilities can be. Do the heads end in a softmax? They should "
            "give logits; the loss and two_answers take the softmax themselves.",
            "Ninguna respuesta es más segura que la softmax de unas probabilidades. ¿Terminan las cabezas en una "
            "softmax? Deben dar logits; la pérdida y two_answers ya calculan la softmax.",
        )
    say(f"breeds: {on_breeds} on validation", f"razas: {on_breeds} en validación")
    value = val_accuracy(data, species, data.species_labels(data.val.labels), 2)
    most = np.bincount(data.species_labels(data.val.labels)).max() / len(data.val)
    reached, always = percent(value), percent(most)
    if value <= most:
        fail(
            f"The species head reaches {reached}; always saying the more frequent species reaches {always}. Is its "
            "loss part of the sum?",
            f"La cabeza de especie llega al {reached}; decir siempre la especie más frecuente llega al {always}. "
            "¿Está su pérdida en la suma?",
        )
    say(f"species: {reached} on validation", f"especie: {reached} en validación")


def check_unsure(data: LabData, name_or_nothing: Callable) -> None:
    """Task 7: a name where the network is certain enough, else None."""
    rows, names = np.array([[0.9, 0.1], [0.6, 0.4], [0.3, 0.7]]), ["cat", "dog"]
    ask(name_or_nothing, rows, names, 0.7, wanted=["cat", None, "dog"])
    say("silent where it should be", "calla cuando debe")


def check_submission(data: LabData, path: Path) -> None:
    """Task 8: the file itself, read back as a grader reads it."""
    try:
        problems = find_problems(
            parse_predictions(path.read_text(encoding="utf-8"), len(data.hidden)),
            data.hidden.ids.tolist(),
            {"breeds": data.class_names},
        )
    except PredictionsError as error:
        problems = list(error.problems)
    if problems:
        fail(f"{path.name}: {problems[0].en}.", f"{path.name}: {problems[0].es}.")
    say(f"{path.name} reads back as it should", f"{path.name} se lee correctamente")


def check_final(data: LabData, probabilities: np.ndarray) -> None:
    """Task 8: probabilities for the hidden images, before they are handed in. Nothing is known of their breeds."""
    check_probabilities(probabilities, len(data.hidden), data.num_classes)
    used = len(np.unique(np.argmax(probabilities, 1)))
    if used < data.num_classes / 3:
        fail(
            f"Only {used} of {data.num_classes} breeds were ever answered. Were the images prepared as in training?",
            f"Solo se han dado como respuesta {used} de las {data.num_classes} razas. ¿Se han preparado las imágenes "
            "como en el entrenamiento?",
        )
    say(
        f"{used} of {data.num_classes} breeds are among the answers",
        f"{used} de las {data.num_classes} razas están entre las respuestas",
    )


def _above_chance(data: LabData, probabilities: np.ndarray) -> float:
    value = val_accuracy(data, probabilities)
    reached, chance = percent(value), percent(1 / data.num_classes)
    if is_chance(data, value):
        fail(
            f"{reached} on validation is no better than guessing ({chance}). Do features and "
            "labels belong to the same images, in the same order? Is the backbone pretrained?",
            f"Un {reached} en validación no es mejor que el azar ({chance}). ¿Corresponden las "
            "características y las etiquetas a las mismas imágenes, en el mismo orden? ¿Está preentrenada la red?",
        )
    return value
