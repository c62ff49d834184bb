"""The parts of the detectors against closed forms and against scikit-learn."""

import math

import torch
from sklearn.ensemble import AdaBoostClassifier
from sklearn.tree import DecisionTreeClassifier
from torch import nn

from holdfast.defences import BitDepth, EraseAndRestore, FeatureSqueezing, MagNetDetector
from holdfast.defences.inpainting import blobs, inpainted
from holdfast.defences.magnet_detector import jensen_shannon
from holdfast.defences.stumps import boosted


class TwoClasses(nn.Module):
    """Says of a grey pixel p that it is of the second class with probability p."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        p = images.flatten(1)[:, 0].clamp(1e-6, 1 - 1e-6)
        return torch.stack([(1 - p).log(), p.log()], 1)


def test_squeezing_moves_probabilities_twice_as_far_as_rounding_moves_the_pixel() -> None:
    images = torch.tensor([0.0, 0.3, 0.45, 0.8, 1.0]).reshape(5, 1, 1, 1)
    score = FeatureSqueezing((BitDepth(1),)).fitted(TwoClasses(), images)
    torch.testing.assert_close(score(images), torch.tensor([0.0, 0.6, 0.9, 0.4, 0.0]), rtol=0, atol=1e-5)
    both = FeatureSqueezing((BitDepth(8), BitDepth(1))).fitted(TwoClasses(), images)
    torch.testing.assert_close(both(images), score(images), rtol=0, atol=1e-5)


def test_jensen_shannon_in_closed_form() -> None:
    sure, other = torch.tensor([[100.0, 0.0]]), torch.tensor([[0.0, 100.0]])
    torch.testing.assert_close(jensen_shannon(sure, other), torch.tensor([math.log(2)]))
    torch.testing.assert_close(jensen_shannon(sure, sure), torch.zeros(1))
    left, right = torch.randn(6, 4), torch.randn(6, 4)
    torch.testing.assert_close(jensen_shannon(left, right), jensen_shannon(right, left))
    half, middle = torch.zeros(1, 2), math.log(4 / 3)  # (1/2, 1/2) against (1, 0): the middle is (3/4, 1/4)
    expected = (middle + (math.log(2 / 3) + math.log(2)) / 2) / 2
    torch.testing.assert_close(jensen_shannon(sure, half), torch.tensor([expected]))


class Darker(nn.Module):
    """Takes a tenth from every pixel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images - 0.1


def test_measures_of_a_reconstruction_in_closed_form() -> None:
    images = torch.rand(5, 1, 4, 4) * 0.5 + 0.2
    score = MagNetDetector(temperatures=(1.0,)).around(TwoClasses(), Darker(), images)
    measured = score.measures(images)
    torch.testing.assert_close(measured[:, 0], torch.full((5,), 0.1))
    torch.testing.assert_close(measured[:, 1], torch.full((5,), 0.01))
    torch.testing.assert_close(score.limits, measured.amax(0))
    torch.testing.assert_close(score(images), torch.ones(5))


def test_harmonic_inpainting_restores_a_slope_exactly_and_leaves_the_rest() -> None:
    down, across = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    slope = (0.02 * down + 0.05 * across)[None, None].repeat(2, 3, 1, 1)
    removed = torch.zeros(2, 9, 9, dtype=torch.bool)
    removed[0, 3:5, 4:6], removed[1, 6, 2] = True, True
    torch.testing.assert_close(inpainted(slope, removed), slope, rtol=0, atol=1e-6)
    image = torch.rand(2, 3, 9, 9)
    kept = ~removed[:, None].expand_as(image)
    assert torch.equal(inpainted(image, removed)[kept], image[kept])
    torch.testing.assert_close(
        inpainted(image, removed)[1, :, 6, 2],
        (image[1, :, 5, 2] + image[1, :, 7, 2] + image[1, :, 6, 1] + image[1, :, 6, 3]) / 4,
    )


def test_what_was_removed_is_not_looked_at() -> None:
    image, removed = torch.rand(1, 1, 8, 8), blobs((8, 8), 0.1, 1, 0)
    other = torch.where(removed[:, None], torch.rand(1, 1, 8, 8), image)
    assert torch.equal(inpainted(image, removed), inpainted(other, removed))


def test_masks_are_blobs_on_about_the_share_and_the_same_each_time() -> None:
    masks = blobs((32, 32), 0.1, 11, 0)
    assert masks.shape == (11, 32, 32)
    assert ((masks.flatten(1).float().mean(1) > 0.07) & (masks.flatten(1).float().mean(1) <= 0.102)).all()
    assert torch.equal(masks, blobs((32, 32), 0.1, 11, 0))
    assert not torch.equal(masks[0], masks[1])
    corners = masks[:, :-1, :-1] & masks[:, 1:, :-1] & masks[:, :-1, 1:] & masks[:, 1:, 1:]
    grown = torch.zeros_like(masks)
    for down, across in ((0, 0), (1, 0), (0, 1), (1, 1)):
        grown[:, down : 31 + down, across : 31 + across] |= corners
    assert torch.equal(grown, masks)


def test_stumps_vote_as_those_of_scikit_learn() -> None:
    source = torch.Generator().manual_seed(0)
    clean, attacked = torch.rand(80, 12, generator=source), torch.rand(70, 12, generator=source) ** 1.5
    stumps = boosted(clean, attacked, 40, 3)
    theirs = AdaBoostClassifier(DecisionTreeClassifier(max_depth=1), n_estimators=40, random_state=3)
    both = torch.cat([clean, attacked])
    theirs.fit(both.numpy(), [0] * 80 + [1] * 70)
    fresh = torch.rand(50, 12, generator=source)
    # With two classes theirs adds the lead of one to the deficit of the other, so it counts each vote twice.
    expected = torch.from_numpy(theirs.decision_function(fresh.numpy())).float() / 2
    torch.testing.assert_close(stumps(fresh), expected, rtol=0, atol=1e-6)
    assert stumps(fresh).abs().amax() <= 1 + 1e-6


def test_gradual_answers_near_those_of_the_stumps_far_from_thresholds() -> None:
    clean, attacked = torch.zeros(10, 1), torch.ones(10, 1)
    stumps = boosted(clean, attacked, 5, 0)
    for side, value in ((clean, -1.0), (attacked, 1.0)):
        torch.testing.assert_close(stumps(side), torch.full((10,), value))
        torch.testing.assert_close(stumps.smooth(side), torch.full((10,), value))


def test_erase_and_restore_sees_the_probabilities_of_the_image_first() -> None:
    images = torch.rand(6, 1, 8, 8)
    score = EraseAndRestore(masks=4, trees=3).fitted(TwoClasses(), images, images.flip(3))
    features = score.features(images)
    assert features.shape == (6, 10)
    torch.testing.assert_close(features[:, :2], TwoClasses()(images).softmax(1))
    torch.testing.assert_close(features.reshape(6, 5, 2).sum(2), torch.ones(6, 5))
