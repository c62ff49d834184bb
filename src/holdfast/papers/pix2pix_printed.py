"""The numbers that paper 004 prints, in percent; it prints no deviations.

Its values contradict each other twice: under feature distortion ResNet-18 has 11.17 in Table 2 and 13.80 in Tables 1
and 3, and B3 with ResNet-18 75.67 in Table 6 and 71.92 in Table 3. Each table shows what it prints itself.
"""

from holdfast.papers.printed import Lines

TABLE_1: Lines = {
    "VGG16": (69.97, 28.36, 61.89, 14.89, 66.80, 17.22, 68.94, 11.17),
    "VGG19": (70.66, 31.22, 68.07, 18.76, 66.56, 18.77, 65.49, 9.87),
    "ResNet18": (77.20, 39.72, 75.94, 26.49, 74.30, 24.92, 76.15, 13.80),
}
"""The second value of VGG19 is printed as 31/22."""
TABLE_2: Lines = {"VGG19": (92.43, 9.87, 6.39, 3.48), "ResNet18": (87.99, 11.17, 17.87, 10.87)}
TABLE_3: Lines = {
    "VGG16": (92.06, 11.17),
    "VGG16, NRP": (67.06, 69.04),
    "VGG16, ours": (84.45, 69.43),
    "VGG19": (92.43, 9.87),
    "VGG19, NRP": (68.79, 71.35),
    "VGG19, ours": (84.78, 75.16),
    "ResNet18": (87.99, 13.80),
    "ResNet18, NRP": (74.51, 74.52),
    "ResNet18, ours": (85.22, 71.92),
}
TABLE_4: Lines = {
    "VGG19": (92.43, 21.17, 6.39, 7.80, 3.48),
    "VGG19, AT-FGSM": (72.70, 59.02, 38.89, 51.91, 37.73),
    "VGG19, AT-PGD": (53.17, 52.30, 50.94, 50.88, 49.64),
    "VGG19, NRP": (68.79, 51.52, 25.07, 43.66, 27.73),
    "VGG19, ours": (84.78, 51.34, 19.38, 38.81, 15.23),
    "ResNet18": (87.99, 48.25, 17.87, 29.87, 10.87),
    "ResNet18, AT-FGSM": (68.49, 55.68, 32.96, 50.18, 32.60),
    "ResNet18, AT-PGD": (60.21, 58.46, 55.72, 56.30, 53.89),
    "ResNet18, NRP": (74.51, 61.01, 42.71, 54.60, 40.69),
    "ResNet18, ours": (85.22, 66.00, 34.02, 54.10, 29.49),
}
TABLE_5: Lines = {"VGG16": (92.06,), "VGG19": (92.43,), "ResNet18": (87.99,)}
TABLE_6: Lines = {
    "VGG19, A": (60.39,),
    "VGG19, B1": (72.36,),
    "VGG19, B2": (70.58,),
    "VGG19, B3": (75.16,),
    "ResNet18, A": (67.30,),
    "ResNet18, B1": (76.52,),
    "ResNet18, B2": (75.91,),
    "ResNet18, B3": (75.67,),
}
