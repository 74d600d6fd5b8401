"""No modules import each other, not even inside of a function: each can be read after those below it."""

import grimp


def test_modules_can_be_put_in_an_order() -> None:
    graph = grimp.build_graph("feedback_pipeline", "assets", "jobs", "bench")
    waiting = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    while free := [module for module, imported in waiting.items() if not imported & waiting.keys()]:
        for module in free:
            del waiting[module]
    assert waiting == {}
