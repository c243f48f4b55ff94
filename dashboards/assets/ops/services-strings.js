// The texts of on-line services, Chinese first. {…} is filled in.
export const texts = {
  "ops.tab-services": ["线上服务", "On-line services"], "service.not-yours": ["线上服务属于全市，须有全部大厅权限才能查看。", "On-line services are the whole city's: seeing them needs all halls."], "service.none": ["这段时间没有线上服务上报访问或办件。", "No on-line service told of visits or cases in this time."], "service.failed": ["未能更新，以下为之前的数据。", "Could not be updated; what follows is from before."], "service.part": ["仅显示访问最多的 {n} 项", "Only the {n} most visited are shown"],
  "service.name": ["服务", "Service"], "service.class": ["类别", "Class"], "service.region": ["区域", "Region"], "service.department": ["部门", "Department"], "service.visits": ["访问", "Visits"], "service.cases": ["办件", "Cases"], "service.per-hundred": ["每百次访问办件", "Per 100 visits"], "service.results": ["办件结果", "Results"], "service.state": ["状态", "State"],
  "service.services": ["服务（按区域）", "Services, by region"], "service.silent": ["一天无上报", "Silent for a day"], "service.heard": ["有上报", "Heard of"], "service.silent-for": ["{n}无上报", "Silent for {n}"], "service.last": ["最近上报", "Last heard"],
  "service-class.handling": ["办理", "Handling"], "service-class.query": ["查询", "Query"], "service-class.publication": ["公示", "Publication"], "service-class.page": ["非事项页面", "Page"],
  "service-result.accepted": ["已受理", "accepted"], "service-result.success": ["成功", "success"], "service-result.failed": ["失败", "failed"], "service-result.rejected": ["不予受理", "rejected"],
};
