"""The ImageNet ResNet-18 of torchvision on small images, as in contrastive adversarial training (paper "CL").

Images are not resized: 32x32 gives maps of 8, 8, 4, 2 and 1 after the pool and the four stages. A grey image is
repeated to three channels, each normalised by its own CIFAR-10 statistics, as in the paper's code for MNIST. 11,181,642
parameters with 10 classes.
"""

from typing import ClassVar

from torch import Tensor, nn

from holdfast.errors import require
from holdfast.models.normalized import Statistics, cifar_normalized
from holdfast.models.pretrained import with_weights
from holdfast.types import Images, Logits


class ImageNetResNet(nn.Module):
    """The ResNet-18 of torchvision, made for ImageNet (He et al., 2015), with a fresh last layer."""

    layers: ClassVar[dict[str, str]] = {
        "embedding1": "network.maxpool",
        "embedding2": "network.layer1",
        "embedding3": "network.layer2",
        "embedding4": "network.layer3",
        "embedding5": "network.avgpool",
        "features": "network.layer4",
        "attention": "network.layer3",
        "penultimate": "network",
    }
    """The embedding spaces of the paper's table 3; "penultimate" is embedding5, flattened. For images of 32x32 the
    features are of 1x1 already, so attention is embedding4."""
    taken: ClassVar[tuple[int, ...]] = (1, 3)
    """The numbers of channels that it takes."""

    def __init__(
        self,
        *,
        channels: int = 3,
        classes: int = 10,
        mean: Statistics | None = None,
        std: Statistics | None = None,
        pretrained: bool = False,
        download: bool = False,
    ) -> None:
        super().__init__()
        require(
            channels in self.taken, f"channels = {channels}: the ImageNet ResNet takes grey (1) or colour (3) images"
        )
        self.normalized = cifar_normalized(3, mean, std)
        self.network = _resnet18(pretrained, download)
        self.linear = nn.Linear(512, classes)

    def forward(self, images: Images) -> Logits:
        """Return the logits."""
        colour = images.expand(-1, 3, -1, -1)
        logits: Tensor = self.linear(self.network(self.normalized(colour)))
        return logits


def _resnet18(pretrained: bool, download: bool) -> nn.Module:
    """Return torchvision's network without its last layer; imported here, as torchvision is slow to import."""
    from torchvision.models import ResNet18_Weights, resnet18

    weights = ResNet18_Weights.IMAGENET1K_V1
    network: nn.Module = with_weights(resnet18, weights, download=download) if pretrained else resnet18()
    network.fc = nn.Identity()
    return network
